#include "measure/memory_sampler.h"

#include <algorithm>
#include <limits>

#include "base/clock.h"

namespace flashmoe {

MemorySampler::MemorySampler(ThreadPool& pool, std::span<const std::byte> weights) {
  if (weights.size() < kCacheBytes + 2 * kBursts * kBurstBytes) return;
  sweep_ = MemorySweep::Over(pool, weights.first(weights.size() - kCacheBytes));
}

void MemorySampler::Sample(TimedBytes& sum) {
  if (!sweep_) return;
  double best_s = std::numeric_limits<double>::max();
  for (int burst = 0; burst < kBursts; ++burst) {
    const double start_s = NowSeconds();
    sweep_->Read(kBurstBytes);
    best_s = std::min(best_s, NowSeconds() - start_s);
  }
  sum += {.bytes = kBurstBytes, .seconds = best_s};
}

}  // namespace flashmoe
