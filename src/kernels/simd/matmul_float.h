// Products of float weights (F32, F16, BF16, or any type through dequantised pieces) with float
// activations.
#pragma once

#include "kernels/kernels.h"
#include "kernels/ref/dequantize.h"
#include "kernels/simd/dot.h"

namespace flashmoe::FM_ISA {

// Rows at a time share the loads of their inputs, as many as there are registers for; for a single
// token, whose rows come from memory, they would only be more streams for the prefetcher to follow.
template <int kTokens>
constexpr int kRowsAtOnce = kTokens > 1 ? kFloatRows : 1;
constexpr int64_t kFloatRowsInCache = 16;  // rows that meet all tokens before the next rows do

// Rows [begin, end) times kTokens tokens from t on.
template <class Weight, int kTokens>
static void FloatRowsTimesTokens(const Matrix& w, int64_t begin, int64_t end, const Activations& x,
                                 int64_t t, float* y, int64_t y_stride) {
  const auto* data = reinterpret_cast<const uint8_t*>(w.data);
  const float* in = x.f32 + t * w.cols;
  float* out = y + t * y_stride;
  constexpr int kRows = kRowsAtOnce<kTokens>;
  int64_t r = begin;
  for (; r + kRows <= end; r += kRows) {
    DotRows<Weight, kRows, kTokens>(data + r * w.row_bytes, w.row_bytes, in, w.cols, w.cols,
                                    out + r, y_stride);
  }
  constexpr int kAhead = kTokens > 1 ? 0 : 2048;  // as prefetch_distance.h, but for every CPU
  for (; r < end; ++r) {
    DotRows<Weight, 1, kTokens, kAhead>(data + r * w.row_bytes, 0, in, w.cols, w.cols, out + r,
                                        y_stride);
  }
}

template <class Weight>
static void MatmulFloat(const Matrix& w, int64_t row_begin, int64_t row_end, const Activations& x,
                        float* y, int64_t y_stride) {
  for (int64_t begin = row_begin; begin < row_end; begin += kFloatRowsInCache) {
    const int64_t end = begin + kFloatRowsInCache < row_end ? begin + kFloatRowsInCache : row_end;
    int64_t t = 0;
    for (; t + kFloatTile <= x.n; t += kFloatTile) {
      FloatRowsTimesTokens<Weight, kFloatTile>(w, begin, end, x, t, y, y_stride);
    }
    for (; t < x.n; ++t) FloatRowsTimesTokens<Weight, 1>(w, begin, end, x, t, y, y_stride);
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
