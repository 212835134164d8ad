// Grouped-query attention with q/k norm, partial rotary embedding and an optional output gate.
#pragma once

#include "kernels/kernels.h"
#include "model/layer_context.h"
#include "model/weights.h"
#include "state/sequence_state.h"

namespace flashmoe {

// Fills work.cosines and work.sines for the pass's positions: angle p * theta^(-2i / rotary_dims).
void PrepareRotary(const LayerContext& c);

// Reads work.normed [tokens, H], appends keys and values to the state at the pass's positions and
// writes work.mixed [tokens, H]. REQUIRES: position + tokens <= the state's context.
void RunAttention(const LayerContext& c, const AttentionWeights& w, KvType kv_type,
                  SequenceState& state);

}  // namespace flashmoe
