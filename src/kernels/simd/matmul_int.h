// Products of integer weights with int8 activations. Lane b of an accumulator takes the blocks
// b, b + 8, b + 16, ... of a row in turn and the lanes are added last, whatever the tile: so a
// result does not depend on the tokens that it shares a tile with.
#pragma once

#include "kernels/kernels.h"
#include "kernels/simd/formats.h"

namespace flashmoe::FM_ISA {

constexpr int kIntTile = 4;           // tokens that share an unpacked span
constexpr int64_t kRowsInCache = 16;  // rows that meet all tokens before the next rows do

struct Token {
  const int8_t* q8;
  const float* scales;
  const int32_t* sums;
};

// A token's last, incomplete span, filled up with zeros.
struct TailToken {
  int8_t q8[kSpan];
  float scales[kSpanBlocks];
  int32_t sums[kSpanBlocks];
};

struct Shape {
  int64_t spans;        // complete ones
  int64_t tail_blocks;  // of the one after them
};

// acc + scale_x * (scale * (q + offset) . x + bias * sum of x)
template <class Format>
static inline __m256 AddSpan(const Span& span, const Token& x, __m256 acc) {
  __m256i dots = Format::Dot(span, x.q8);
  __m256i sums = _mm256_setzero_si256();
  if constexpr (Format::kBias || Format::kOffset != 0) {
    sums = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x.sums));
  }
  if constexpr (Format::kOffset != 0) {
    constexpr int kMagnitude = Format::kOffset < 0 ? -Format::kOffset : Format::kOffset;
    const __m256i shifted = _mm256_slli_epi32(sums, __builtin_ctz(kMagnitude));
    dots = Format::kOffset < 0 ? _mm256_sub_epi32(dots, shifted) : _mm256_add_epi32(dots, shifted);
  }
  __m256 value = _mm256_cvtepi32_ps(dots);
  if constexpr (Format::kBias) {
    value = _mm256_fmadd_ps(value, span.scale, _mm256_mul_ps(_mm256_cvtepi32_ps(sums), span.bias));
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
    Format::Unpack(Format::At(row, s), &span);
    for (int t = 0; t < kTokens; ++t) {
      const Token at = {x[t].q8 + s * kSpan, x[t].scales + s * kSpanBlocks,
                        x[t].sums + s * kSpanBlocks};
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

static inline Token TokenAt(const Activations& x, int64_t t) {
  const int64_t blocks = x.cols / 32;
  return {x.q8 + t * x.cols, x.scales + t * blocks, x.sums + t * blocks};
}

static inline void CopyTail(const Token& x, const Shape& shape, TailToken* tail) {
  const auto blocks = static_cast<size_t>(shape.tail_blocks);
  __builtin_memset(tail, 0, sizeof(*tail));
  __builtin_memcpy(tail->q8, x.q8 + shape.spans * kSpan, blocks * 32);
  __builtin_memcpy(tail->scales, x.scales + shape.spans * kSpanBlocks, blocks * sizeof(float));
  __builtin_memcpy(tail->sums, x.sums + shape.spans * kSpanBlocks, blocks * sizeof(int32_t));
}

static inline Row RowAt(const Matrix& w, int64_t r) {
  const auto* data = reinterpret_cast<const uint8_t*>(w.data) + r * w.row_bytes;
  if (w.group == 0) return {data, nullptr, nullptr, 0, DType::kF32};
  const int64_t offset = r * (w.cols / w.group) * (w.scale_type == DType::kF32 ? 4 : 2);
  return {data, reinterpret_cast<const uint8_t*>(w.scales) + offset,
          reinterpret_cast<const uint8_t*>(w.biases) + offset, w.group, w.scale_type};
}

// Rows [begin, end) times kTokens tokens from t on.
template <class Format, int kTokens>
static void Tile(const Matrix& w, int64_t begin, int64_t end, const Activations& x, int64_t t,
                 float* y, int64_t y_stride) {
  const Shape shape = {w.cols / kSpan, w.cols % kSpan / 32};
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
  if (x.n == 1) return Tile<Format, 1>(w, row_begin, row_end, x, 0, y, y_stride);
  for (int64_t begin = row_begin; begin < row_end; begin += kRowsInCache) {
    const int64_t end = begin + kRowsInCache < row_end ? begin + kRowsInCache : row_end;
    int64_t t = 0;
    for (; t + kIntTile <= x.n; t += kIntTile) {
      Tile<Format, kIntTile>(w, begin, end, x, t, y, y_stride);
    }
    if (t + 2 <= x.n) {
      Tile<Format, 2>(w, begin, end, x, t, y, y_stride);
      t += 2;
    }
    if (t < x.n) Tile<Format, 1>(w, begin, end, x, t, y, y_stride);
  }
}

}  // namespace flashmoe::FM_ISA
