// How fast this machine multiplies with weights of a type, on matrices of a model's shapes and with
// the engine's own way of spreading them over threads.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "kernels/peak.h"

namespace flashmoe {

struct KernelSpeed {
  DType type = DType::kF32;
  // One token: bytes of weights a second, from matrices that no cache holds.
  double bytes_per_s = 0;
  // Many tokens at once: multiplications a second for each of these numbers of tokens.
  std::vector<int64_t> tokens = {4, 32, 256};
  std::vector<double> products_per_s;

  double peak_products_per_s() const;
  // For so many tokens, between the measured ones; below the first as much less as tokens are.
  double ProductsPerSecond(double n) const;
};

// Weights that are measured with: more than caches hold.
inline constexpr uint64_t kKernelBytes = 256 << 20;

// REQUIRES: a type of weights, cols of whole blocks of it and of 32. Takes a fraction of a second
// and `bytes` of weights, at most a quarter of the memory that can be had. `tokens` rise.
Result<KernelSpeed> MeasureKernel(DType type, int64_t rows, int64_t cols,
                                  const KernelTable& kernels, ThreadPool& pool,
                                  std::vector<int64_t> tokens = KernelSpeed().tokens,
                                  uint64_t bytes = kKernelBytes);

// Multiplications a second of the loop on all threads; 0 if there is no loop.
double MeasurePeak(const PeakLoop& loop, ThreadPool& pool);

}  // namespace flashmoe
