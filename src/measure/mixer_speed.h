// How fast this machine runs what mixers compute besides products with weights: attention over the
// cache, and the delta rule. Both grow with the prompt or the model and with nothing else.
#pragma once

#include <cstdint>

#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "model/config.h"

namespace flashmoe {

struct MixerSpeed {
  // Query heads times the positions that each attends to, a second.
  double attended_per_s = 0;
  // Value heads times tokens, a second.
  double delta_per_s = 0;

  // One token of a prompt that attends to `positions`, through all layers. 0 if not measured.
  double PrefillSeconds(const ModelConfig& config, double positions) const;
};

// By kernels that take as many tokens as in a prompt, on all threads. A few hundredths of a second.
MixerSpeed MeasureMixers(const ModelConfig& config, const KernelTable& kernels, ThreadPool& pool);

}  // namespace flashmoe
