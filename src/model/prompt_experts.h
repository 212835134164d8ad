// Experts for many tokens, each for all tokens that chose it.
#pragma once

#include <cstdint>
#include <span>

#include "model/layer_context.h"
#include "tensor/matrix.h"

namespace flashmoe {

struct PromptExpert {
  Matrix gate, up, down;
  std::span<const int32_t> tokens;  // of the pass
  float* out;                       // [tokens, H]
};

// How many experts RunPromptExperts likes to have at once.
constexpr int PromptExpertsAtOnce(int threads) { return 8 * threads; }

// out = down(silu(gate x) * up x), for its tokens of x [tokens of the pass, H]. Few experts are
// shared by all threads; of many, each is one thread's, so that threads need not wait for each
// other between its steps. What an expert yields does not depend on its company. Reorders
// `experts`. Uses work.gathered, work.gate, work.up and work.inner.
void RunPromptExperts(const LayerContext& c, const Activations& x, std::span<PromptExpert> experts);

// y [x.n, H] = down(silu(gate x) * up x), by all threads. REQUIRES: a block of tokens at most. Uses
// work.gate, work.up and work.inner.
void FeedForward(const LayerContext& c, const Activations& x, const Matrix& gate, const Matrix& up,
                 const Matrix& down, float* y);

}  // namespace flashmoe
