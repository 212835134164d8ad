// Chooses the product for a weight type.
#pragma once

#include "kernels/simd/matmul_float.h"
#include "kernels/simd/matmul_int.h"

namespace flashmoe::FM_ISA {

static ActivationFormat FormatOf(DType type) {
  switch (type) {
    case DType::kQ4_0:
    case DType::kQ8_0:
    case DType::kQ4_K:
    case DType::kQ5_K:
    case DType::kQ6_K:
    case DType::kMlx4:
    case DType::kMlx8:
      return ActivationFormat::kQ8;
    default:
      return ActivationFormat::kF32;
  }
}

static void Matmul(const Matrix& w, int64_t row_begin, int64_t row_end, const Activations& x,
                   float* y, int64_t y_stride) {
  switch (w.type) {
    case DType::kF32:
      return MatmulFloat<WeightF32>(w, row_begin, row_end, x, y, y_stride);
    case DType::kF16:
      return MatmulFloat<WeightF16>(w, row_begin, row_end, x, y, y_stride);
    case DType::kBF16:
      return MatmulFloat<WeightBF16>(w, row_begin, row_end, x, y, y_stride);
    case DType::kQ4_0:
      return MatmulInt<FormatQ4_0>(w, row_begin, row_end, x, y, y_stride);
    case DType::kQ8_0:
      return MatmulInt<FormatQ8_0>(w, row_begin, row_end, x, y, y_stride);
    case DType::kQ4_K:
      return MatmulInt<FormatQ4_K>(w, row_begin, row_end, x, y, y_stride);
    case DType::kQ5_K:
      return MatmulInt<FormatQ5_K>(w, row_begin, row_end, x, y, y_stride);
    case DType::kQ6_K:
      return MatmulInt<FormatQ6_K>(w, row_begin, row_end, x, y, y_stride);
    case DType::kMlx4:
      return MatmulInt<FormatMlx<4>>(w, row_begin, row_end, x, y, y_stride);
    case DType::kMlx8:
      return MatmulInt<FormatMlx<8>>(w, row_begin, row_end, x, y, y_stride);
    default:
      return MatmulAny(w, row_begin, row_end, x, y, y_stride);
  }
}

}  // namespace flashmoe::FM_ISA
