// Which experts a token goes to.
#pragma once

#include <cstdint>
#include <span>

#include "model/layer_context.h"
#include "model/weights.h"

namespace flashmoe {

// Softmax over all experts, the k best (the lower index on a tie), their weights divided by their
// sum. Reads work.normed, writes work.routing.
void Route(const LayerContext& c, const LayerWeights& w);

// The experts with the largest logits, best first, the lower index on a tie; NaN is never better.
// REQUIRES: best.size() <= logits.size().
void BestExperts(std::span<const float> logits, std::span<int32_t> best);

}  // namespace flashmoe
