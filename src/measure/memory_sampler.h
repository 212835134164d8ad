// What memory gives while a model runs: short bursts of reads of the model's own weights between
// its tokens. What a shared host leaves of memory's bandwidth changes from one minute to the next,
// and fresh memory may be read at another speed than what the model has had for long.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bandwidth.h"
#include "base/thread_pool.h"
#include "io/read_timer.h"

namespace flashmoe {

struct MemoryBursts {
  uint64_t bytes = uint64_t{32} << 20;  // of each: about a millisecond
  uint64_t first = uint64_t{64} << 20;  // read before, so that caches hold nothing of what follows
};

class MemorySampler {
 public:
  // Samples nothing.
  MemorySampler() = default;
  // Reads `weights`, which outlive it, with all threads of `pool`; where they are less than the
  // bursts of two samples, nothing.
  MemorySampler(ThreadPool& pool, std::span<const std::byte> weights,
                const MemoryBursts& bursts = {});

  // The best of some bursts, added to `sum`: what others take from this process is not the
  // memory's doing.
  void Sample(TimedBytes& sum);

 private:
  static constexpr int kBursts = 4;

  MemoryBursts bursts_;
  std::optional<MemorySweep> sweep_;
};

}  // namespace flashmoe
