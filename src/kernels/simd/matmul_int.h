// Products of integer weights with int8 activations. Lane b of an accumulator takes the blocks
// b, b + 8, b + 16, ... of a row in turn and the lanes are added last, in one order: so a result
// does not depend on which of the two ways below computed it, nor in what company.
#pragma once

#include "kernels/simd/matmul_columns.h"
#include "kernels/simd/tokens.h"

namespace flashmoe::FM_ISA {

constexpr int64_t kRowsInCache = 16;  // rows that meet all tokens before the next rows do

// Lane b: the sum over block b of s q x.
template <class Format>
static inline __m256i DotSpan(const Span& span, const int8_t* x) {
  static_assert(Format::kMax <= 127 || !Format::kScalesOf16);
  if constexpr (Format::kScalesOf16) return DotScaled<Format::kMax>(span.q, span.scales, x);
  if constexpr (Format::kMax <= 127) return DotSmall<Format::kMax>(span.q, x);
  return DotBytes(span.q, x);
}

// acc + scale_x * (scale * s (q + offset) . x + bias * m . x), in lane b for block b.
template <class Format>
static inline __m256 AddSpan(const Span& span, const Token& x, __m256 acc) {
  __m256i dots = DotSpan<Format>(span, x.q8);
  const __m256i sums = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x.sums));
  if constexpr (Format::kOffset != 0) {
    __m256i offset = _mm256_set1_epi16(Format::kOffset);
    if constexpr (Format::kScalesOf16) {
      offset = _mm256_mullo_epi16(_mm256_cvtepi8_epi16(span.scales), offset);
    }
    dots = _mm256_add_epi32(dots, _mm256_madd_epi16(sums, offset));
  }
  __m256 value = _mm256_cvtepi32_ps(dots);
  if constexpr (Format::kBias) {
    __m256i mins = _mm256_set1_epi16(1);
    if constexpr (Format::kMinsOf16) mins = _mm256_cvtepi8_epi16(span.mins);
    const __m256 weighted = _mm256_cvtepi32_ps(_mm256_madd_epi16(sums, mins));
    value = _mm256_fmadd_ps(value, span.scale, _mm256_mul_ps(weighted, span.bias));
  } else {
    value = _mm256_mul_ps(value, span.scale);
  }
  return _mm256_fmadd_ps(value, _mm256_loadu_ps(x.scales), acc);
}

template <class Format, int kTokens>
static inline void RowTimesTokens(const Row& row, const Shape& shape, const Token* x,
                                  const TailToken* tails, float* y, int64_t y_stride) {
  __m256 acc[kTokens];
  for (int t = 0; t < kTokens; ++t) acc[t] = _mm256_setzero_ps();
  Span span;
  for (int64_t s = 0; s < shape.spans; ++s) {
    const Row at_span = Format::At(row, s);
    Format::Prefetch(at_span);
    Format::Unpack(at_span, &span);
    for (int t = 0; t < kTokens; ++t) {
      const Token at = {x[t].q8 + s * kSpan, x[t].scales + s * kSpanBlocks,
                        x[t].sums + 2 * s * kSpanBlocks};
      acc[t] = AddSpan<Format>(span, at, acc[t]);
    }
  }
  if (shape.tail_blocks > 0) {
    TailBytes bytes = {};
    Format::Unpack(Format::Tail(Format::At(row, shape.spans), shape.tail_blocks, &bytes), &span);
    for (int t = 0; t < kTokens; ++t) {
      const Token at = {tails[t].q8, tails[t].scales, tails[t].sums};
      acc[t] = AddSpan<Format>(span, at, acc[t]);
    }
  }
  for (int t = 0; t < kTokens; ++t) y[t * y_stride] = Sum8(acc[t]);
}

// Rows [begin, end) times kTokens tokens from t on. Flat, or the compiler may leave the unpacking
// or the sums of a span as calls, whose operands then go through memory.
template <class Format, int kTokens>
[[gnu::flatten]] static void RowsTimesTokens(const Matrix& w, int64_t begin, int64_t end,
                                             const Activations& x, int64_t t, float* y,
                                             int64_t y_stride) {
  const Shape shape = ShapeOf(w);
  Token tokens[kTokens];
  TailToken tails[kTokens];
  for (int i = 0; i < kTokens; ++i) {
    tokens[i] = TokenAt(x, t + i);
    if (shape.tail_blocks > 0) CopyTail(tokens[i], shape, &tails[i]);
  }
  for (int64_t r = begin; r < end; ++r) {
    RowTimesTokens<Format, kTokens>(RowAt(w, r), shape, tokens, tails, y + t * y_stride + r,
                                    y_stride);
  }
}

template <class Format>
static void MatmulInt(const Matrix& w, int64_t row_begin, int64_t row_end, const Activations& x,
                      float* y, int64_t y_stride) {
  int64_t begin = row_begin;
  if (x.n >= kColumnsFrom) {
    constexpr int64_t kRows = kTilesAtOnce * kLanes;
    for (; begin + kRows <= row_end; begin += kRows) {
      TilesTimesTokens<Format, kTilesAtOnce>(w, begin, x, y, y_stride);
    }
    for (; begin + kLanes <= row_end; begin += kLanes) {
      TilesTimesTokens<Format, 1>(w, begin, x, y, y_stride);
    }
  }
  const int64_t together = x.n > 1 ? kRowsInCache : row_end - begin;  // a single token is alone
  for (; begin < row_end; begin += together) {
    const int64_t end = begin + together < row_end ? begin + together : row_end;
    int64_t t = 0;
    for (; t + 4 <= x.n; t += 4) RowsTimesTokens<Format, 4>(w, begin, end, x, t, y, y_stride);
    for (; t + 2 <= x.n; t += 2) RowsTimesTokens<Format, 2>(w, begin, end, x, t, y, y_stride);
    if (t < x.n) RowsTimesTokens<Format, 1>(w, begin, end, x, t, y, y_stride);
  }
}

}  // namespace flashmoe::FM_ISA
