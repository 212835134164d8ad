// Several experts of one token at once. A token's expert is a few hundred kilobytes to read, so
// that the threads would spend a good part of their time on waiting for each other between its
// steps.
#pragma once

#include <span>

#include "model/layer_context.h"
#include "tensor/matrix.h"

namespace flashmoe {

struct TokenExpert {
  Matrix gate, up, down;
  float* out = nullptr;  // [H]
};

// out = down(silu(gate x) * up x) of each expert for the one token x [1, H], in two parallel
// regions for all together. What an expert yields does not depend on its company. Uses work.gate
// and work.inner. REQUIRES: at most experts_per_token + 1 experts.
void RunTokenExperts(const LayerContext& c, const Activations& x,
                     std::span<const TokenExpert> experts);

}  // namespace flashmoe
