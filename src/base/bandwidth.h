// What memory gives: the roof of everything that reads its operands once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "base/memory.h"
#include "base/status.h"
#include "base/thread_pool.h"

namespace flashmoe {

// More than the caches hold that a machine lends to one process.
inline constexpr uint64_t kBandwidthBytes = uint64_t{512} << 20;

// Memory to measure speeds with: `most`, or a quarter of what can be had if that is less.
uint64_t MeasuringBytes(uint64_t most = kBandwidthBytes);

// Memory that the threads of a pool read together, round and round. Used by one thread at a time.
class MemorySweep {
 public:
  // `bytes` of fresh memory, rounded up to whole MiB. `pool` outlives it.
  static Result<MemorySweep> Create(ThreadPool& pool, uint64_t bytes);
  // The whole MiB of `memory`, which outlives it. REQUIRES: a MiB and a word at least.
  static MemorySweep Over(ThreadPool& pool, std::span<const std::byte> memory);

  uint64_t bytes() const { return all_.size(); }
  // The next `bytes`, rounded up to whole MiB, but no more than there are.
  void Read(uint64_t bytes);

 private:
  MemorySweep(ThreadPool& pool, Memory own, std::span<const std::byte> all)
      : pool_(&pool), own_(std::move(own)), all_(all) {}

  ThreadPool* pool_;
  Memory own_;  // if it is not another's
  std::span<const std::byte> all_;
  int64_t next_ = 0;  // MiB
};

// Bytes a second that `threads` threads read together: the best of several passes over `bytes` of
// fresh memory, rounded up to whole MiB. Takes about half a second. REQUIRES: threads >= 1.
Result<double> MeasureReadBandwidth(int threads, uint64_t bytes = kBandwidthBytes);

// The same for copying one half to the other; bytes read and bytes written both count.
Result<double> MeasureCopyBandwidth(int threads, uint64_t bytes = kBandwidthBytes);

}  // namespace flashmoe
