// Products of float weights (F32, F16, BF16, or any type through dequantised pieces) with float
// activations.
#pragma once

#include "kernels/kernels.h"
#include "kernels/ref/dequantize.h"
#include "kernels/simd/dot.h"

namespace flashmoe::FM_ISA {

template <class Weight>
static void MatmulFloat(const Matrix& w, int64_t row_begin, int64_t row_end, const Activations& x,
                        float* y, int64_t y_stride) {
  const auto* data = reinterpret_cast<const uint8_t*>(w.data);
  for (int64_t r = row_begin; r < row_end; ++r) {
    const uint8_t* row = data + r * w.row_bytes;
    int64_t t = 0;
    for (; t + kFloatTile <= x.n; t += kFloatTile) {
      FloatRow<Weight, kFloatTile>(row, x.f32 + t * w.cols, w.cols, w.cols, y + t * y_stride + r,
                                   y_stride);
    }
    for (; t < x.n; ++t) {
      FloatRow<Weight, 1>(row, x.f32 + t * w.cols, w.cols, w.cols, y + t * y_stride + r, y_stride);
    }
  }
}

// Any other type: a piece of the row becomes floats, which all tokens use; pieces add up in y.
static void MatmulAny(const Matrix& w, int64_t row_begin, int64_t row_end, const Activations& x,
                      float* y, int64_t y_stride) {
  constexpr int64_t kPiece = 4 * ref::kPieceElements;
  float piece[kPiece];
  for (int64_t r = row_begin; r < row_end; ++r) {
    for (int64_t begin = 0; begin < w.cols; begin += kPiece) {
      const int64_t count = w.cols - begin < kPiece ? w.cols - begin : kPiece;
      ref::DequantizeSpan(w, r, begin, count, piece);
      for (int64_t t = 0; t < x.n; ++t) {
        const float part = Dot(piece, x.f32 + t * w.cols + begin, count);
        float* out = y + t * y_stride + r;
        *out = begin == 0 ? part : *out + part;
      }
    }
  }
}

}  // namespace flashmoe::FM_ISA
