// Products of integer weights with many int8 activations, by tiles: a tile of sums holds 16 rows
// times 16 tokens of one block, so all sums are exact, and becomes floats as matmul_int.h of the
// avx512 table would have it: each (row, token) sees the same operations in the same order.
#pragma once

#include "kernels/amx/operands.h"
#include "kernels/amx/tile_registers.h"
#include "kernels/simd/functions.h"

namespace flashmoe::amx {

constexpr int64_t kGroups = 8;       // of 16 tokens that share the unpacked weights
constexpr int64_t kTokenSpans = 64;  // that are laid out at once: 320 KB

using TileOfSums = int32_t[kTileRows][kTileTokens];
using Accumulator = float[kTileRows][kTileTokens];  // one of eight, as in AddSpan
static_assert(kTokenSpans * sizeof(TokenSpan) + sizeof(WeightRows) +
                  kGroups * kSpanBlocks * sizeof(Accumulator) + (8 << 10) <=
              kStackBytes);

// Rows and 16 tokens over the spans that are unpacked, and where their tiles are stored: as few as
// keep the tile unit busy, so that loads and stores do not meet in the low bits of addresses.
struct TileWork {
  const WeightRows* w;
  const TokenSpan* x;
  Accumulator* acc;  // [kSpanBlocks]
  bool begins;       // nothing is in acc yet
  alignas(64) TileOfSums sums[4];
};

// A tile for each half of a block if those have scales of their own.
template <class Format>
constexpr int kHalves = Format::kScalesOf16 ? 2 : 1;

// The registers and places of a block's tiles, one or two of four.
template <class Format, int kSlot>
constexpr int kTileOf = kHalves<Format>* kSlot % 4;

// Multiplies the step-th block (of the spans 0 .. kSpans - 1 of block 0, then of block 1, ...).
template <class Format, int kSpans, int kSlot>
static inline void MultiplyBlock(const TileWork& work, int step) {
  constexpr bool kSigned = Format::kOffset != 0;
  constexpr int kFirst = kTileOf<Format, kSlot>, kOdd = kFirst % 2;
  const int b = step / kSpans, s = step % kSpans;
  const auto& w = work.w->q[kSpanBlocks * s + b];
  const auto& x = work.x[s].q8[b];
  LoadTile<kWeights + kOdd>(w, sizeof(w[0]));
  LoadTile<kInputs + kOdd>(x, sizeof(x[0]));
  MultiplyTiles<kSigned, kSums + kFirst, kWeights + kOdd, kInputs + kOdd>();
  if constexpr (kHalves<Format> == 2) {
    LoadTile<kWeights + 1>(w[0] + 16, sizeof(w[0]));
    LoadTile<kInputs + 1>(x[4], sizeof(x[0]));
    MultiplyTiles<kSigned, kSums + kFirst + 1, kWeights + 1, kInputs + 1>();
  }
}

template <class Format, int kSlot>
static inline void StoreBlock(TileWork* work) {
  constexpr int kFirst = kTileOf<Format, kSlot>;
  StoreTile<kSums + kFirst>(work->sums[kFirst], sizeof(work->sums[0][0]));
  if constexpr (kHalves<Format> == 2) {
    StoreTile<kSums + kFirst + 1>(work->sums[kFirst + 1], sizeof(work->sums[0][0]));
  }
}

// What the rows of a tile have in common: 16 tokens of a block.
struct TokensOfBlock {
  __m512 scale;
  __m512i sums;     // formats with kMinsOf16
  __m512 weighted;  // those with another kBias
};

// acc + scale_x * (scale * dots + bias * m . x), for row kRow of a tile and all rows after it.
template <class Format, int kFirst, int kRow = 0>
static inline void ScaleRows(const TileWork& work, int at, const TokensOfBlock& x, __m512* acc) {
  if constexpr (kRow < kTileRows) {
    const auto dots = [&](int tile) {
      return _mm512_cvtepi32_ps(_mm512_load_si512(work.sums[tile][kRow]));
    };
    __m512 value = dots(kFirst);
    if constexpr (Format::kScalesOf16) {
      // Exact: integers below 2^24.
      value = _mm512_mul_ps(value, _mm512_set1_ps(work.w->scale_of_16[kRow][2 * at]));
      value = _mm512_fmadd_ps(dots(kFirst + 1),
                              _mm512_set1_ps(work.w->scale_of_16[kRow][2 * at + 1]), value);
    }
    const __m512 scale = _mm512_set1_ps(work.w->scale[kRow][at]);
    if constexpr (Format::kBias) {
      __m512 weighted = x.weighted;
      if constexpr (Format::kMinsOf16) {
        int32_t mins;
        __builtin_memcpy(&mins, work.w->mins[kRow] + 2 * at, sizeof(mins));
        weighted = _mm512_cvtepi32_ps(
            _mm512_dpwssd_epi32(_mm512_setzero_si512(), x.sums, _mm512_set1_epi32(mins)));
      }
      const __m512 bias = _mm512_mul_ps(weighted, _mm512_set1_ps(work.w->bias[kRow][at]));
      value = _mm512_fmadd_ps(value, scale, bias);
    } else {
      value = _mm512_mul_ps(value, scale);
    }
    acc[kRow] = _mm512_fmadd_ps(value, x.scale, acc[kRow]);
    ScaleRows<Format, kFirst, kRow + 1>(work, at, x, acc);
  }
}

template <int kRow = 0>
static inline void LoadRows(const Accumulator& from, __m512* acc) {
  if constexpr (kRow < kTileRows) {
    acc[kRow] = _mm512_load_ps(from[kRow]);
    LoadRows<kRow + 1>(from, acc);
  }
}
template <int kRow = 0>
static inline void ClearRows(__m512* acc) {
  if constexpr (kRow < kTileRows) {
    acc[kRow] = _mm512_setzero_ps();
    ClearRows<kRow + 1>(acc);
  }
}
template <int kRow = 0>
static inline void StoreRows(const __m512* acc, Accumulator* to) {
  if constexpr (kRow < kTileRows) {
    _mm512_store_ps((*to)[kRow], acc[kRow]);
    StoreRows<kRow + 1>(acc, to);
  }
}

// Adds the step-th block's tile to its accumulator, which stays in registers for kSpans steps.
template <class Format, int kSpans, int kSlot>
static inline void ScaleBlock(const TileWork& work, int step, __m512* acc) {
  const int b = step / kSpans, s = step % kSpans;
  TokensOfBlock x;
  x.scale = _mm512_load_ps(work.x[s].scale[b]);
  if constexpr (Format::kBias) {
    x.sums = _mm512_load_si512(work.x[s].sums[b]);
    x.weighted = _mm512_cvtepi32_ps(
        _mm512_dpwssd_epi32(_mm512_setzero_si512(), x.sums, _mm512_set1_epi16(1)));
  }
  if constexpr (kSlot % kSpans == 0) {
    if (work.begins) {
      ClearRows(acc);
    } else {
      LoadRows(work.acc[b], acc);
    }
  }
  ScaleRows<Format, kTileOf<Format, kSlot>>(work, kSpanBlocks * s + b, x, acc);
  if constexpr (kSlot % kSpans == kSpans - 1) StoreRows(acc, &work.acc[b]);
}

// All blocks of kSpans spans. A product comes late, and until it is stored, loads wait that follow
// in the program and have the low bits of their addresses in common with the store: so a tile is
// stored after the next ones are loaded, and scaled after that.
template <class Format, int kSpans>
static void MultiplySpans(TileWork* work) {
  constexpr int kSteps = kSpans * kSpanBlocks;
  constexpr int kStoreLag = 2 / kHalves<Format>, kScaleLag = kStoreLag + 1;
  __m512 acc[kTileRows];
  const auto one = [&]<int kSlot>(int step) __attribute__((always_inline)) {
    const int stored = step - kStoreLag, scaled = step - kScaleLag;
    if (step < kSteps) MultiplyBlock<Format, kSpans, kSlot>(*work, step);
    if (stored >= 0 && stored < kSteps) StoreBlock<Format, (kSlot + 4 - kStoreLag) % 4>(work);
    if (scaled >= 0 && scaled < kSteps) {
      ScaleBlock<Format, kSpans, (kSlot + 4 - kScaleLag) % 4>(*work, scaled, acc);
    }
  };
  for (int step = 0; step < kSteps + kScaleLag; step += 4) {
    one.template operator()<0>(step);
    one.template operator()<1>(step + 1);
    one.template operator()<2>(step + 2);
    one.template operator()<3>(step + 3);
  }
}

// Adds the accumulators in the order of Sum8.
static inline void StoreProducts(const Accumulator* acc, int64_t n, float* y, int64_t y_stride) {
  alignas(64) Accumulator sums;
  for (int r = 0; r < kTileRows; ++r) {
    const auto pair = [&](int i) { return Load(acc[i][r]) + Load(acc[i + 4][r]); };
    Store(sums[r], (pair(0) + pair(2)) + (pair(1) + pair(3)));
  }
  alignas(64) float of_token[kTileTokens][kTileRows];
  TransposeRows(sums, sizeof(sums[0]), kTileRows / 4, of_token);
  for (int64_t t = 0; t < n; ++t) Store(y + t * y_stride, Load(of_token[t]));
}

// Rows [begin, begin + 16) times n tokens, that are laid out.
template <class Format>
static void RowsTimesTokens(const Matrix& w, int64_t begin, const TokenSpan* x, int64_t n, float* y,
                            int64_t y_stride) {
  const Shape shape = ShapeOf(w);
  const int64_t spans = shape.spans + (shape.tail_blocks > 0 ? 1 : 0);
  const int64_t groups = (n + kTileTokens - 1) / kTileTokens;
  WeightRows rows;
  alignas(64) Accumulator acc[kGroups][kSpanBlocks];
  TileWork work;
  work.w = &rows;
  for (int64_t s = 0, count; s < spans; s += count) {
    const int64_t whole = shape.spans - s;
    count = whole >= 4 ? 4 : whole >= 2 ? 2 : 1;
    work.begins = s == 0;
    if (whole == 0) {
      UnpackTail<Format>(w, begin, s, shape.tail_blocks, &rows);
    } else if (count == 4) {
      UnpackWhole<Format, 4>(w, begin, s, &rows);
    } else if (count == 2) {
      UnpackWhole<Format, 2>(w, begin, s, &rows);
    } else {
      UnpackWhole<Format, 1>(w, begin, s, &rows);
    }
    for (int64_t g = 0; g < groups; ++g) {
      work.x = x + g * spans + s;
      work.acc = acc[g];
      if (count == 4) MultiplySpans<Format, 4>(&work);
      if (count == 2) MultiplySpans<Format, 2>(&work);
      if (count == 1) MultiplySpans<Format, 1>(&work);
    }
  }
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t first = g * kTileTokens;
    const int64_t here = n - first < kTileTokens ? n - first : kTileTokens;
    StoreProducts(acc[g], here, y + first * y_stride + begin, y_stride);
  }
}

static inline void LayOutTokens(const Activations& x, int64_t first, int64_t n, TokenSpan* out) {
  const int64_t blocks = x.cols / 32;
  for (int64_t t = 0; t < n; t += kTileTokens) {
    const Token token = TokenAt(x, first + t);
    const int64_t here = n - t < kTileTokens ? n - t : kTileTokens;
    for (int64_t b = 0; b < blocks; b += kSpanBlocks) {
      const Token at = {token.q8 + 32 * b, token.scales + b, token.sums + 2 * b};
      const int64_t some = blocks - b < kSpanBlocks ? blocks - b : kSpanBlocks;
      LayOutSpan(at, here, blocks, some, out++);
    }
  }
}

// REQUIRES: a multiple of 16 rows, at most kColsMax columns.
template <class Format>
static void MatmulInt(const Matrix& w, int64_t row_begin, int64_t row_end, const Activations& x,
                      float* y, int64_t y_stride) {
  const int64_t spans = (w.cols + kSpan - 1) / kSpan;
  const int64_t fit = kTokenSpans / spans < kGroups ? kTokenSpans / spans : kGroups;
  TokenSpan tokens[kTokenSpans];
  SetTileShapes(32 / kHalves<Format>);
  for (int64_t t = 0; t < x.n; t += fit * kTileTokens) {
    const int64_t n = x.n - t < fit * kTileTokens ? x.n - t : fit * kTileTokens;
    LayOutTokens(x, t, n, tokens);
    for (int64_t r = row_begin; r < row_end; r += kTileRows) {
      RowsTimesTokens<Format>(w, r, tokens, n, y + t * y_stride, y_stride);
    }
  }
  ReleaseTiles();
}

}  // namespace flashmoe::amx
