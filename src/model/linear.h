// Matrix products with the weights, spread over the thread pool. Inputs are quantised once and
// shared by all matrices that read them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/huge_vector.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "tensor/matrix.h"

namespace flashmoe {

// y[t * stride + r] = row r of w times input t.
struct Projection {
  Matrix w;
  float* y = nullptr;
  int64_t stride = 0;
};

// Inputs in every form that some weight type reads. Memory is taken once, for n_max rows of
// cols_max; only buffers that gather hold floats of their own.
class ActivationBuffer {
 public:
  ActivationBuffer(int64_t n_max, int64_t cols_max, bool gathers);
  static uint64_t Bytes(int64_t n_max, int64_t cols_max, bool gathers);

  // Points at x [n, cols], which must outlive the use; quantises if one of `types` asks for it.
  const Activations& Set(const KernelTable& kernels, ThreadPool& pool, const float* x, int64_t n,
                         int64_t cols, std::span<const DType> types);

  // For rows that threads fill in pieces, each its own: x [n, cols] stands at element `at` of the
  // buffer, a multiple of 32, after Quantise() of all its pieces if it is quantised.
  Activations Rows(const float* x, int64_t at, int64_t n, int64_t cols, bool quantised) const;
  // x [n, cols], whole blocks, becomes the elements from `at` on.
  void Quantise(const KernelTable& kernels, const float* x, int64_t at, int64_t n, int64_t cols);

  // Copies rows `rows` of `all`, in the forms that it has, to the rows from `to` on. No
  // quantisation is repeated. Threads may copy to rows of their own.
  void CopyRows(const Activations& all, std::span<const int32_t> rows, int64_t to);
  // Rows [first, first + n) after that.
  Activations Copied(const Activations& all, int64_t first, int64_t n) const;

 private:
  HugeVector<float> f32_;
  HugeVector<int8_t> q8_;
  HugeVector<float> scales_;
  HugeVector<int16_t> sums_;
  Activations view_;
};

// All rows of all projections for all tokens of x. Projections are computed in parallel as one job.
void Project(const KernelTable& kernels, ThreadPool& pool, const Activations& x,
             std::span<const Projection> projections);

}  // namespace flashmoe
