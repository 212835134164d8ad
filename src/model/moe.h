// The mixture of experts: the one place where bytes from the disk become numbers.
#pragma once

#include "base/status.h"
#include "experts/store.h"
#include "model/layer_context.h"
#include "model/lookahead.h"
#include "model/weights.h"

namespace flashmoe {

// Runs the experts that work.routing chose on work.normed [tokens, H], and the shared expert, and
// writes their weighted sum to work.mixed [tokens, H].
//
// Reads for missing experts are in flight before anything is computed; each expert is computed once
// for all tokens that chose it, when its bytes have arrived. What they yield is combined in rank
// order, so that the result does not depend on the order of arrival. While they are computed, the
// disk turns to what `lookahead` guesses. An error of the store leaves work.mixed undefined.
Status RunExperts(const LayerContext& c, const LayerWeights& w, ExpertStore& store,
                  Lookahead& lookahead);

}  // namespace flashmoe
