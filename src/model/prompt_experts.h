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
  std::span<const int32_t> ranks;   // this expert's among the token's, for each of `tokens`
};

// How many experts RunPromptExperts likes to have at once.
constexpr int PromptExpertsAtOnce(int threads) { return 8 * threads; }

// Row (token, rank) of work.expert_out = down(silu(gate x) * up x), x [tokens of the pass, H]. Few
// experts are shared by all threads; of many, each is one thread's, so that threads need not wait
// for each other between its steps. What an expert yields does not depend on its company. Reorders
// `experts`. Uses work.gathered, work.gate, work.up, work.inner and work.down.
void RunPromptExperts(const LayerContext& c, const Activations& x, std::span<PromptExpert> experts);

// y [x.n, H] = down(silu(gate x) * up x), by all threads. REQUIRES: a block of tokens at most. Uses
// work.gate, work.up and work.inner.
void FeedForward(const LayerContext& c, const Activations& x, const Matrix& gate, const Matrix& up,
                 const Matrix& down, float* y);

}  // namespace flashmoe
