// Grouped-query attention with q/k norm, partial rotary embedding and an optional output gate.
#pragma once

#include "kernels/kernels.h"
#include "model/layer_context.h"
#include "model/weights.h"
#include "state/sequence_state.h"

namespace flashmoe {

// Fills work.cosines and work.sines for the positions of one part of a pass: angle p * theta^(-2i /
// rotary_dims).
void PrepareRotary(const LayerContext& c);

// Reads work.normed [tokens, H] of a block, appends keys and values to the states of its parts at
// their positions and writes work.mixed [tokens, H]. Projections are computed for all parts at
// once. REQUIRES: position + tokens <= the state's context.
void RunAttention(const LayerContext& c, const AttentionWeights& w, KvType kv_type);

}  // namespace flashmoe
