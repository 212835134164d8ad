// Guessing which experts a layer will want before its router can speak, so that the disk need not
// wait for it.
#pragma once

#include "experts/store.h"
#include "model/layer_context.h"
#include "model/weights.h"

namespace flashmoe {

// Tells the store what `layer` will probably ask for: the choice of its router, were it shown the
// residual stream as it is now (work.x), before the layer's own mixer and whatever else is still to
// come has been added. One layer adds little to the stream, so most of it is right. Does nothing
// where the store has no use for guesses. Overwrites work.mixed, work.routing.logits and
// work.gathered.
void ExpectExperts(const LayerContext& c, int layer, const LayerWeights& w, ExpertStore& store);

}  // namespace flashmoe
