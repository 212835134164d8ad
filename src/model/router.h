// Which experts a token goes to.
#pragma once

#include "model/layer_context.h"
#include "model/weights.h"

namespace flashmoe {

// Softmax over all experts, the k best (the lower index on a tie), their weights divided by their
// sum. Reads work.normed, writes work.routing.
void Route(const LayerContext& c, const LayerWeights& w);

}  // namespace flashmoe
