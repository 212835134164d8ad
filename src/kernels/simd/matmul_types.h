// Chooses the product for a weight type.
#pragma once

#include "kernels/simd/functions.h"
#include "kernels/simd/matmul_float.h"

namespace flashmoe::FM_ISA {

// Tokens that all rows are multiplied with before the next tokens: their inputs stay in the
// second-level cache, those of floats in the first, while the rows pass.
constexpr int64_t kTokenBlock = 128, kFloatTokenBlock = 32;

// Null for types whose rows are dequantised.
static MatmulFn IntegerMatmulOf(DType type) {
  constexpr MatmulFn (*kFamilies[])(DType) = {Matmul32, MatmulK, MatmulGrid, MatmulMlx};
  for (const auto family : kFamilies) {
    if (const MatmulFn found = family(type)) return found;
  }
  return nullptr;
}

static MatmulFn FloatMatmulOf(DType type) {
  switch (type) {
    case DType::kF32:
      return MatmulFloat<WeightF32>;
    case DType::kF16:
      return MatmulFloat<WeightF16>;
    case DType::kBF16:
      return MatmulFloat<WeightBF16>;
    default:
      return MatmulAny;
  }
}

static ActivationFormat FormatOf(DType type) {
  return IntegerMatmulOf(type) != nullptr ? ActivationFormat::kQ8 : ActivationFormat::kF32;
}

static void MatmulOfType(const Matrix& w, int64_t row_begin, int64_t row_end, const Activations& x,
                         float* y, int64_t y_stride) {
  const MatmulFn integer = IntegerMatmulOf(w.type);
  const MatmulFn matmul = integer != nullptr ? integer : FloatMatmulOf(w.type);
  const int64_t block = integer != nullptr ? kTokenBlock : kFloatTokenBlock;
  for (int64_t t = 0; t < x.n; t += block) {
    const int64_t n = x.n - t < block ? x.n - t : block;
    matmul(w, row_begin, row_end, SliceTokens(x, t, n), y + t * y_stride, y_stride);
  }
}

}  // namespace flashmoe::FM_ISA
