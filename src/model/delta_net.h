// Gated delta net: a causal convolution, the gated delta rule and a gated norm
// (Yang, Kautz, Hatamizadeh 2024, arXiv:2412.06464).
#pragma once

#include "model/layer_context.h"
#include "model/weights.h"
#include "state/sequence_state.h"

namespace flashmoe {

// Reads work.normed [tokens, H] of a block, moves the layer's recurrent state of each part on by
// the part's tokens and writes work.mixed [tokens, H]. Projections are computed for all parts at
// once.
//
// Whole blocks of kDeltaChunk positions, counted from the start of the sequence, are computed in
// chunked form, all other tokens one after the other. So the result does not depend on how a prompt
// is cut, as long as it is cut at multiples of kDeltaChunk; other cuts change it by rounding alone.
void RunDeltaNet(const LayerContext& c, const DeltaNetWeights& w);

}  // namespace flashmoe
