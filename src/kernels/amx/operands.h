// What tiles multiply: spans of 16 weight rows as bytes, row by row, and spans of 16 tokens, four
// elements of every token side by side, as a tile wants its second factor.
#pragma once

#include "kernels/avx512/bytes.h"
#include "kernels/simd/formats.h"
#include "kernels/simd/tokens.h"
#include "kernels/simd/transpose.h"

namespace flashmoe::amx {

constexpr int kTileRows = 16;
constexpr int kTileTokens = 16;
constexpr int kSpansAtOnce = 4;  // unpacked before they are multiplied

struct alignas(64) WeightRows {
  // By blocks; with kOffset added, so signed unless that is 0.
  uint8_t q[kSpansAtOnce * kSpanBlocks][kTileRows][32];
  float scale[kTileRows][kSpansAtOnce * kSpanBlocks];
  float bias[kTileRows][kSpansAtOnce * kSpanBlocks];
  float scale_of_16[kTileRows][2 * kSpansAtOnce * kSpanBlocks];
  int16_t mins[kTileRows][2 * kSpansAtOnce * kSpanBlocks];
};

struct alignas(64) TokenSpan {
  int8_t q8[kSpanBlocks][8][4 * kTileTokens];
  float scale[kSpanBlocks][kTileTokens];
  int32_t sums[kSpanBlocks][kTileTokens];  // pairs of int16
};

// Tiles take the elements from where they are stored.
template <class Format>
constexpr bool kInPlace = Format::kBytesAt >= 0;

// Puts span `s` of a row at place (r, i), with or without its elements.
template <class Format, bool kElements>
static inline void UnpackRow(const Row& row, int r, int i, WeightRows* out) {
  Span span;
  Format::Unpack(row, &span);
  for (int j = 0; j < 4 && kElements; ++j) {
    const __m512i q = _mm512_add_epi8(span.q[j].v, _mm512_set1_epi8(Format::kOffset));
    const int b = kSpanBlocks * i + 2 * j;
    StoreWords(out->q[b][r], _mm512_castsi512_si256(q));
    StoreWords(out->q[b + 1][r], _mm512_extracti64x4_epi64(q, 1));
  }
  _mm256_storeu_ps(out->scale[r] + kSpanBlocks * i, span.scale);
  if constexpr (Format::kBias) _mm256_storeu_ps(out->bias[r] + kSpanBlocks * i, span.bias);
  if constexpr (Format::kScalesOf16) {
    _mm512_storeu_ps(out->scale_of_16[r] + 2 * kSpanBlocks * i,
                     _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(span.scales)));
  }
  if constexpr (Format::kMinsOf16) {
    StoreWords(out->mins[r] + 2 * kSpanBlocks * i, _mm256_cvtepi8_epi16(span.mins));
  }
}

// Spans of 16 rows that are being unpacked, a row at a time between other work. Rows have `spans`
// whole ones from `first` on, or one of which only `tail_blocks` blocks are there.
struct Unpacking {
  const Matrix* w = nullptr;
  int64_t begin = 0, first = 0;
  int spans = 0;
  int64_t tail_blocks = 0;
  int row = kTileRows;  // the next one
  WeightRows* out = nullptr;
};

// What is multiplied meanwhile pushes places in `out` from the first cache: they are asked for two
// rows ahead, weights one.
template <class Format>
static inline void PrefetchRow(const Unpacking& at, const Row& row) {
  if (at.row + 2 < kTileRows) {
    for (int b = 0; b < at.spans * kSpanBlocks; b += 2) {
      _mm_prefetch(at.out->q[b][at.row + 2], _MM_HINT_T0);
      _mm_prefetch(at.out->q[b + 1][at.row + 2], _MM_HINT_T0);
    }
  }
  if (at.row + 1 < kTileRows) {
    const uint8_t* next = Format::At(row, at.first).data + at.w->row_bytes;
    const int64_t bytes = Format::At(row, at.spans).data - row.data;
    for (int64_t line = 0; line < bytes; line += 64) _mm_prefetch(next + line, _MM_HINT_T0);
  }
}

template <class Format>
[[gnu::noinline]] static void UnpackNextRow(Unpacking* at) {
  const Row row = RowAt(*at->w, at->begin + at->row);
  if (at->tail_blocks > 0) {
    TailBytes bytes = {};
    UnpackRow<Format, true>(Format::Tail(Format::At(row, at->first), at->tail_blocks, &bytes),
                            at->row, 0, at->out);
  } else {
    if constexpr (!kInPlace<Format>) PrefetchRow<Format>(*at, row);
    for (int i = 0; i < at->spans; ++i) {
      UnpackRow<Format, !kInPlace<Format>>(Format::At(row, at->first + i), at->row, i, at->out);
    }
  }
  ++at->row;
}

static inline void TransposeTokens(const int8_t* q8, const float* scales, const int16_t* sums,
                                   int64_t q8_stride, int64_t stride, TokenSpan* out) {
  TransposeRows(q8, q8_stride, kSpan / 16, out->q8);
  TransposeRows(scales, stride, kSpanBlocks / 4, out->scale);
  TransposeRows(sums, stride, kSpanBlocks / 4, out->sums);
}

// The first `blocks` blocks of a span of n <= 16 tokens that lie `stride` blocks apart; what is
// missing becomes zeros.
static inline void LayOutSpan(const Token& x, int64_t n, int64_t stride, int64_t blocks,
                              TokenSpan* out) {
  if (n == kTileTokens && blocks == kSpanBlocks) {
    TransposeTokens(x.q8, x.scales, x.sums, 32 * stride, sizeof(float) * stride, out);
    return;
  }
  TailToken copies[kTileTokens];
  const int64_t whole = blocks == kSpanBlocks ? n : 0;  // rows that become whole
  __builtin_memset(copies + whole, 0, static_cast<size_t>(kTileTokens - whole) * sizeof(copies[0]));
  for (int64_t t = 0; t < n; ++t) {
    const Token from = {x.q8 + 32 * t * stride, x.scales + t * stride, x.sums + 2 * t * stride};
    if (whole > 0) {
      CopyBlocks(from, kSpanBlocks, &copies[t]);  // of a size that the compiler knows
    } else {
      CopyBlocks(from, blocks, &copies[t]);
    }
  }
  TransposeTokens(copies[0].q8, copies[0].scales, copies[0].sums, sizeof(copies[0]),
                  sizeof(copies[0]), out);
}

}  // namespace flashmoe::amx
