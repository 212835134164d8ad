// Chooses the product for a weight type.
#pragma once

#include "kernels/simd/functions.h"
#include "kernels/simd/matmul_float.h"

namespace flashmoe::FM_ISA {

// Tokens that all rows are multiplied with before the next tokens: their inputs stay in the
// first-level caches while the rows pass.
constexpr int64_t kTokenBlock = 32;

// Null for types whose rows are dequantised.
static MatmulFn IntegerMatmulOf(DType type) {
  constexpr MatmulFn (*kFamilies[])(DType) = {Matmul32, MatmulK, MatmulGrid, MatmulMlx};
  for (const auto family : kFamilies) {
    if (const MatmulFn found = family(type)) return found;
  }
  return nullptr;
}

static MatmulFn MatmulOf(DType type) {
  switch (type) {
    case DType::kF32:
      return MatmulFloat<WeightF32>;
    case DType::kF16:
      return MatmulFloat<WeightF16>;
    case DType::kBF16:
      return MatmulFloat<WeightBF16>;
    default:
      const MatmulFn integer = IntegerMatmulOf(type);
      return integer != nullptr ? integer : MatmulAny;
  }
}

static ActivationFormat FormatOf(DType type) {
  return IntegerMatmulOf(type) != nullptr ? ActivationFormat::kQ8 : ActivationFormat::kF32;
}

void Matmul(const Matrix& w, int64_t row_begin, int64_t row_end, const Activations& x, float* y,
            int64_t y_stride) {
  const MatmulFn matmul = MatmulOf(w.type);
  for (int64_t t = 0; t < x.n; t += kTokenBlock) {
    const int64_t n = x.n - t < kTokenBlock ? x.n - t : kTokenBlock;
    matmul(w, row_begin, row_end, SliceTokens(x, t, n), y + t * y_stride, y_stride);
  }
}

}  // namespace flashmoe::FM_ISA
