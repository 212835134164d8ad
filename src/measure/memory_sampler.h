// What memory gives while a model runs: short bursts of reads of the model's own weights between
// its tokens. What a shared host leaves of memory's bandwidth changes from one minute to the next,
// and fresh memory may be read at another speed than what the model has had for long.
#pragma once

#include <optional>

#include "base/bandwidth.h"
#include "io/read_timer.h"

namespace flashmoe {

class MemorySampler {
 public:
  // Samples nothing.
  MemorySampler() = default;
  // Reads `weights`, which outlive it, with all threads of `pool`; fewer than caches hold are not
  // sampled. What was used last is believed to lie at their end, and is left out.
  MemorySampler(ThreadPool& pool, std::span<const std::byte> weights);

  // The best of some bursts, added to `sum`: what others take from this process is not the
  // memory's doing.
  void Sample(TimedBytes& sum);

 private:
  static constexpr uint64_t kBurstBytes = uint64_t{32} << 20;  // about a millisecond
  static constexpr uint64_t kCacheBytes = uint64_t{64} << 20;
  static constexpr int kBursts = 4;

  std::optional<MemorySweep> sweep_;
};

}  // namespace flashmoe
