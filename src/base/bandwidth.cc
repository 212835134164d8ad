#include "base/bandwidth.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/thread_pool.h"

namespace flashmoe {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int kPasses = 20;

// The shortest of several passes over `n` MiB, one MiB a call of fn.
template <typename Fn>
double BestSeconds(ThreadPool& pool, int64_t n, Fn&& fn) {
  double best_s = std::numeric_limits<double>::max();
  for (int pass = 0; pass < kPasses; ++pass) {
    const double start_s = NowSeconds();
    pool.ParallelFor(n, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) fn(i);
    });
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

Result<double> MeasureReadBandwidth(int threads, uint64_t bytes) {
  constexpr int64_t kWords = kMiB / sizeof(uint64_t), kSums = 16;
  ThreadPool pool(threads);
  const int64_t n = WholeMebibytes(bytes);
  FM_ASSIGN_OR_RETURN(const Memory memory, FilledMemory(pool, n));
  std::vector<uint64_t> totals(static_cast<size_t>(n));
  const double best_s = BestSeconds(pool, n, [&](int64_t i) {
    const uint64_t* words = memory.as<uint64_t>() + i * kWords;
    uint64_t sums[kSums] = {};
    for (int64_t w = 0; w < kWords; w += kSums) {
      for (int64_t j = 0; j < kSums; ++j) sums[j] += words[w + j];
    }
    for (const uint64_t sum : sums) totals[static_cast<size_t>(i)] += sum;
  });
  // The sums are looked at, or a compiler need not have read anything.
  for (const uint64_t total : totals) FM_CHECK(total != 0);
  return static_cast<double>(n * kMiB) / best_s;
}

Result<double> MeasureCopyBandwidth(int threads, uint64_t bytes) {
  ThreadPool pool(threads);
  const int64_t half = WholeMebibytes(bytes / 2);
  FM_ASSIGN_OR_RETURN(const Memory memory, FilledMemory(pool, 2 * half));
  const double best_s = BestSeconds(pool, half, [&](int64_t i) {
    std::memcpy(memory.data() + (half + i) * kMiB, memory.data() + i * kMiB, kMiB);
  });
  return static_cast<double>(2 * half * kMiB) / best_s;
}

}  // namespace flashmoe
