#include "base/bandwidth.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <iterator>
#include <limits>
#include <numeric>

#include "base/check.h"
#include "base/clock.h"

namespace flashmoe {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int kPasses = 20;

// The shortest of several passes.
template <typename Fn>
double BestSeconds(Fn&& pass) {
  double best_s = std::numeric_limits<double>::max();
  for (int i = 0; i < kPasses; ++i) {
    const double start_s = NowSeconds();
    pass();
    best_s = std::min(best_s, NowSeconds() - start_s);
  }
  return best_s;
}

// Touched by its later readers, so that it lies where they find it.
Result<Memory> FilledMemory(ThreadPool& pool, int64_t mebibytes) {
  FM_ASSIGN_OR_RETURN(Memory memory, Memory::Allocate(static_cast<uint64_t>(mebibytes * kMiB)));
  pool.ParallelFor(mebibytes, 1, [&](int64_t begin, int64_t end) {
    std::memset(memory.data() + begin * kMiB, 1, static_cast<size_t>((end - begin) * kMiB));
  });
  return memory;
}

int64_t WholeMebibytes(uint64_t bytes) {
  return std::max<int64_t>(1, static_cast<int64_t>(AlignUp(bytes, kMiB) / kMiB));
}

}  // namespace

uint64_t MeasuringBytes(uint64_t most) { return std::min(most, AvailableMemory().bytes / 4); }

Result<MemorySweep> MemorySweep::Create(ThreadPool& pool, uint64_t bytes) {
  FM_ASSIGN_OR_RETURN(Memory memory, FilledMemory(pool, WholeMebibytes(bytes)));
  const std::span<const std::byte> all = memory.span();
  return MemorySweep(pool, std::move(memory), all);
}

MemorySweep MemorySweep::Over(ThreadPool& pool, std::span<const std::byte> memory) {
  FM_CHECK(memory.size() >= kMiB + sizeof(uint64_t));
  const auto at = reinterpret_cast<uintptr_t>(memory.data());
  memory = memory.subspan(AlignUp(at, sizeof(uint64_t)) - at);
  return MemorySweep(pool, {}, memory.first(memory.size() / kMiB * kMiB));
}

void MemorySweep::Read(uint64_t bytes) {
  constexpr int64_t kWords = kMiB / sizeof(uint64_t), kSums = 16;
  const int64_t all = static_cast<int64_t>(all_.size()) / kMiB;
  const int64_t n = std::min(WholeMebibytes(bytes), all);
  std::atomic<uint64_t> total = 0;
  pool_->ParallelFor(n, 1, [&](int64_t begin, int64_t end) {
    uint64_t sums[kSums] = {};
    for (int64_t i = begin; i < end; ++i) {
      const uint64_t* words =
          reinterpret_cast<const uint64_t*>(all_.data()) + (next_ + i) % all * kWords;
      for (int64_t w = 0; w < kWords; w += kSums) {
        for (int64_t j = 0; j < kSums; ++j) sums[j] += words[w + j];
      }
    }
    total += std::accumulate(std::begin(sums), std::end(sums), uint64_t{0});
  });
  next_ = (next_ + n) % all;
  asm volatile("" : : "r"(total.load()));  // looked at, or a compiler need not have read anything
}

Result<double> MeasureReadBandwidth(int threads, uint64_t bytes) {
  ThreadPool pool(threads);
  FM_ASSIGN_OR_RETURN(MemorySweep sweep, MemorySweep::Create(pool, bytes));
  const double best_s = BestSeconds([&] { sweep.Read(sweep.bytes()); });
  return static_cast<double>(sweep.bytes()) / best_s;
}

Result<double> MeasureCopyBandwidth(int threads, uint64_t bytes) {
  ThreadPool pool(threads);
  const int64_t half = WholeMebibytes(bytes / 2);
  FM_ASSIGN_OR_RETURN(const Memory memory, FilledMemory(pool, 2 * half));
  const double best_s = BestSeconds([&] {
    pool.ParallelFor(half, 1, [&](int64_t begin, int64_t end) {
      std::memcpy(memory.data() + (half + begin) * kMiB, memory.data() + begin * kMiB,
                  static_cast<size_t>((end - begin) * kMiB));
    });
  });
  return static_cast<double>(2 * half * kMiB) / best_s;
}

}  // namespace flashmoe
