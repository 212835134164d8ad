#include "measure/memory_sampler.h"

#include <algorithm>
#include <limits>

#include "base/clock.h"

namespace flashmoe {

MemorySampler::MemorySampler(ThreadPool& pool, std::span<const std::byte> weights,
                             const MemoryBursts& bursts)
    : bursts_(bursts) {
  if (weights.size() >= 2 * (bursts.first + kBursts * bursts.bytes)) {
    sweep_ = MemorySweep::Over(pool, weights);
  }
}

void MemorySampler::Sample(TimedBytes& sum) {
  if (!sweep_) return;
  sweep_->Read(bursts_.first);
  double best_s = std::numeric_limits<double>::max();
  for (int burst = 0; burst < kBursts; ++burst) {
    const double start_s = NowSeconds();
    sweep_->Read(bursts_.bytes);
    best_s = std::min(best_s, NowSeconds() - start_s);
  }
  sum += {.bytes = bursts_.bytes, .seconds = best_s};
}

}  // namespace flashmoe
