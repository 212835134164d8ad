// Many tokens: the spans of kLanes rows are unpacked and transposed once, so that lane r is row r,
// and then multiplied with every token. No sums across lanes remain. Each (row, token) sees the
// operations of AddSpan (matmul_int.h) in the same order, with eight accumulators in the place of
// eight lanes.
#pragma once

#include "kernels/simd/tokens.h"
#include "kernels/simd/transpose.h"

namespace flashmoe::FM_ISA {

constexpr int kTileTokens = 32;  // whose accumulators (16 KB) stay in the first cache level
constexpr int kAtOnce = 4;       // tokens that share a load of weights

struct alignas(64) WeightTile {
  uint8_t q[kSpan / 4][4 * kLanes];  // elements 4 i .. 4 i + 3 of each row
  float scale[kSpanBlocks][kLanes];
  float bias[kSpanBlocks][kLanes];
  int32_t scale_of_16[2 * kSpanBlocks][kLanes];
  int32_t offsets[kSpanBlocks][kLanes];  // pairs of int16: kOffset times the scales of 16
  int32_t mins[kSpanBlocks][kLanes];     // pairs of int16
};

// The same, row by row.
struct alignas(64) UnpackedRows {
  uint8_t q[kLanes][kSpan];
  float scale[kLanes][kSpanBlocks];
  float bias[kLanes][kSpanBlocks];
  int32_t scale_of_16[kLanes][2 * kSpanBlocks];
  int16_t offsets[kLanes][2 * kSpanBlocks];
  int16_t mins[kLanes][2 * kSpanBlocks];
};

template <class Format>
static inline void UnpackRow(const Row& row, int r, UnpackedRows* out) {
  Span span;
  Format::Unpack(row, &span);
  for (int i = 0; i < 4; ++i) StoreBytes(out->q[r] + 64 * i, span.q[i]);
  _mm256_storeu_ps(out->scale[r], span.scale);
  if constexpr (Format::kBias) _mm256_storeu_ps(out->bias[r], span.bias);
  if constexpr (Format::kScalesOf16) {
    const __m256i s = _mm256_cvtepi8_epi16(span.scales);
    const __m256i low = _mm256_cvtepi16_epi32(_mm256_castsi256_si128(s));
    const __m256i high = _mm256_cvtepi16_epi32(_mm256_extracti128_si256(s, 1));
    StoreWords(out->scale_of_16[r], low);
    StoreWords(out->scale_of_16[r] + kSpanBlocks, high);
    StoreWords(out->offsets[r], _mm256_mullo_epi16(s, _mm256_set1_epi16(Format::kOffset)));
  }
  if constexpr (Format::kMinsOf16) StoreWords(out->mins[r], _mm256_cvtepi8_epi16(span.mins));
}

template <class Format>
static inline void MakeTile(const Row rows[kLanes], int64_t span, int64_t tail_blocks,
                            WeightTile* tile) {
  UnpackedRows unpacked;
  if (tail_blocks == 0) {
    for (int r = 0; r < kLanes; ++r) UnpackRow<Format>(Format::At(rows[r], span), r, &unpacked);
  } else {
    for (int r = 0; r < kLanes; ++r) {
      TailBytes bytes = {};
      UnpackRow<Format>(Format::Tail(Format::At(rows[r], span), tail_blocks, &bytes), r, &unpacked);
    }
  }
  TransposeRows(unpacked.q, kSpan, kSpan / 16, tile->q);
  TransposeRows(unpacked.scale, sizeof(unpacked.scale[0]), 2, tile->scale);
  if constexpr (Format::kBias) {
    TransposeRows(unpacked.bias, sizeof(unpacked.bias[0]), 2, tile->bias);
  }
  if constexpr (Format::kScalesOf16) {
    TransposeRows(unpacked.scale_of_16, sizeof(unpacked.scale_of_16[0]), 4, tile->scale_of_16);
    TransposeRows(unpacked.offsets, sizeof(unpacked.offsets[0]), 2, tile->offsets);
  }
  if constexpr (Format::kMinsOf16) {
    TransposeRows(unpacked.mins, sizeof(unpacked.mins[0]), 2, tile->mins);
  }
}

// dots[t] = the sum over `quads` groups of four elements from element 4 * first on.
template <class Format, int kTokens>
static inline void DotQuads(const WeightTile& tile, const Token* x, int first, int quads,
                            Ints dots[kTokens]) {
  for (int t = 0; t < kTokens; ++t) dots[t] = ZeroInts();
  for (int i = first; i < first + quads; ++i) {
    const Ints w = LoadInts(tile.q[i]);
    for (int t = 0; t < kTokens; ++t) {
      dots[t] = AddQuads<Format::kMax <= 127>(dots[t], w, x[t].q8 + 4 * i);
    }
  }
}

// Block b of each row with kTokens tokens, as integers; without the offset.
template <class Format, int kTokens>
static inline void DotBlock(const WeightTile& tile, const Token* x, int b, Ints dots[kTokens]) {
  if constexpr (!Format::kScalesOf16) {
    DotQuads<Format, kTokens>(tile, x, 8 * b, 8, dots);
    return;
  }
  for (int t = 0; t < kTokens; ++t) dots[t] = ZeroInts();
  for (int g = 2 * b; g < 2 * b + 2; ++g) {
    Ints half[kTokens];
    DotQuads<Format, kTokens>(tile, x, 4 * g, 4, half);
    const Ints scale = LoadInts(tile.scale_of_16[g]);
    for (int t = 0; t < kTokens; ++t) dots[t] = AddInts(dots[t], MulInts(half[t], scale));
  }
}

// Two equal int16 in each lane.
static inline Ints SetPairs(int value) {
  return SetInts(static_cast<int>((static_cast<uint32_t>(value) & 0xffff) * 0x10001u));
}

// Both sums of a token's block, in each lane.
static inline Ints LoadSums(const Token& x, int b) {
  int32_t pair;
  __builtin_memcpy(&pair, x.sums + 2 * b, sizeof(pair));
  return SetInts(pair);
}

using TileSums = float[kSpanBlocks][kLanes];  // of one token

template <class Format, int kTokens>
static inline void AddTile(const WeightTile& tile, const Token* x, TileSums* acc) {
  for (int b = 0; b < kSpanBlocks; ++b) {
    Ints dots[kTokens];
    DotBlock<Format, kTokens>(tile, x, b, dots);
    const Vec scale = Load(tile.scale[b]);
    for (int t = 0; t < kTokens; ++t) {
      const Ints sums = LoadSums(x[t], b);
      if constexpr (Format::kOffset != 0) {
        const Ints offset =
            Format::kScalesOf16 ? LoadInts(tile.offsets[b]) : SetPairs(Format::kOffset);
        dots[t] = AddPairs(dots[t], sums, offset);
      }
      Vec value = ToFloats(dots[t]);
      if constexpr (Format::kBias) {
        const Ints mins = Format::kMinsOf16 ? LoadInts(tile.mins[b]) : SetPairs(1);
        const Vec weighted = ToFloats(AddPairs(ZeroInts(), sums, mins));
        value = Fma(value, scale, weighted * Load(tile.bias[b]));
      } else {
        value = value * scale;
      }
      Store(acc[t][b], Fma(value, Set(x[t].scales[b]), Load(acc[t][b])));
    }
  }
}

// Adds the lanes of an accumulator in the order of Sum8.
static inline Vec SumTile(const TileSums& a) {
  const auto pair = [&](int i) { return Load(a[i]) + Load(a[i + 4]); };
  return (pair(0) + pair(2)) + (pair(1) + pair(3));
}

// Rows [begin, begin + kLanes) times all tokens.
template <class Format>
static void TileTimesTokens(const Matrix& w, int64_t begin, const Activations& x, float* y,
                            int64_t y_stride) {
  const Shape shape = ShapeOf(w);
  const int64_t spans = shape.spans + (shape.tail_blocks > 0 ? 1 : 0);
  Row rows[kLanes];
  for (int r = 0; r < kLanes; ++r) rows[r] = RowAt(w, begin + r);
  WeightTile tile;
  alignas(64) TileSums acc[kTileTokens];
  TailToken tails[kTileTokens];
  Token at[kTileTokens];
  for (int64_t first = 0; first < x.n; first += kTileTokens) {
    const int64_t n = x.n - first < kTileTokens ? x.n - first : kTileTokens;
    __builtin_memset(acc, 0, static_cast<size_t>(n) * sizeof(acc[0]));
    for (int64_t s = 0; s < spans; ++s) {
      const bool is_tail = s == shape.spans;
      MakeTile<Format>(rows, s, is_tail ? shape.tail_blocks : 0, &tile);
      for (int64_t t = 0; t < n; ++t) {
        const Token token = TokenAt(x, first + t);
        at[t] = {token.q8 + s * kSpan, token.scales + s * kSpanBlocks,
                 token.sums + 2 * s * kSpanBlocks};
        if (!is_tail) continue;
        CopyTail(token, shape, &tails[t]);
        at[t] = {tails[t].q8, tails[t].scales, tails[t].sums};
      }
      int64_t t = 0;
      for (; t + kAtOnce <= n; t += kAtOnce) AddTile<Format, kAtOnce>(tile, at + t, acc + t);
      for (; t < n; ++t) AddTile<Format, 1>(tile, at + t, acc + t);
    }
    for (int64_t t = 0; t < n; ++t) Store(y + (first + t) * y_stride + begin, SumTile(acc[t]));
  }
}

}  // namespace flashmoe::FM_ISA
