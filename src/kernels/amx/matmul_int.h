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
static_assert(kTokenSpans * sizeof(TokenSpan) + 2 * sizeof(WeightRows) +
                  kGroups * kSpanBlocks * sizeof(Accumulator) + (8 << 10) <=
              kStackBytes);

// A tile for each half of a block if those have scales of their own.
template <class Format>
constexpr int kHalves = Format::kScalesOf16 ? 2 : 1;

// Spans whose weights stay in tile registers while all tokens meet them.
template <class Format>
constexpr int kSpansInTiles = 4 / kHalves<Format>;

// 16 rows and groups of 16 tokens, over spans that are unpacked.
struct TileWork {
  const WeightRows* w;
  const uint8_t* q;  // where its elements are; bytes from row to row, and so on
  int64_t row_step, block_step, span_step;
  int first;           // of the spans in w
  const TokenSpan* x;  // of the first group
  int64_t x_stride;    // spans from group to group
  int64_t groups;
  Accumulator (*acc)[kSpanBlocks];  // [groups]
  bool begins;                      // nothing is in acc yet
  bool ends;                        // nothing follows: accumulators are added up
  // The weights of the rows after the next, which are being unpacked: so many lines from here on
  // are asked for with every block of a group. All of them at once would take the places through
  // which everything else reaches the cache.
  const std::byte* ahead;
  int64_t ahead_lines;
  // What is multiplied next is unpacked along the way, so many of its rows (of `steps`) with every
  // block of a group.
  Unpacking* next;
  int64_t steps;
  int64_t steps_left;  // towards the next row
  alignas(64) TileOfSums sums[4];
};

// A block of one group: of spans 0 .. kSpans - 1 one after another.
struct GroupBlock {
  int b = 0;
  const TokenSpan* x = nullptr;
  Accumulator* acc = nullptr;
};

template <class Format, int kSpans, int kSpan = 0>
static inline void LoadWeights(const TileWork& work, int b) {
  if constexpr (kSpan < kSpans) {
    const uint8_t* q = work.q + (work.first + kSpan) * work.span_step + b * work.block_step;
    constexpr int kTile = kWeights + kHalves<Format> * kSpan;
    LoadTile<kTile>(q, work.row_step);
    if constexpr (kHalves<Format> == 2) LoadTile<kTile + 1>(q + 16, work.row_step);
    LoadWeights<Format, kSpans, kSpan + 1>(work, b);
  }
}

template <class Format, int kSpan>
static inline void MultiplyBlock(const GroupBlock& at) {
  constexpr bool kSigned = Format::kOffset != 0;
  const auto& x = at.x[kSpan].q8[at.b];
  if constexpr (kHalves<Format> == 2) {
    LoadTile<kInputs>(x, sizeof(x[0]));
    MultiplyTiles<kSigned, kSums, kWeights + 2 * kSpan, kInputs>();
    LoadTile<kInputs + 1>(x[4], sizeof(x[0]));
    MultiplyTiles<kSigned, kSums + 1, kWeights + 2 * kSpan + 1, kInputs + 1>();
  } else {
    LoadTileOnce<kInputs + kSpan % 2>(x, sizeof(x[0]));
    MultiplyTiles<kSigned, kSums + kSpan % 2, kWeights + kSpan, kInputs + kSpan % 2>();
  }
}

template <class Format, int kSpan>
static inline void StoreBlock(TileWork* work) {
  constexpr int kPlace = kHalves<Format> * (kSpan % 2), kTile = kSums + kPlace % 2;
  StoreTile<kTile>(work->sums[kPlace], sizeof(work->sums[0][0]));
  if constexpr (kHalves<Format> == 2) {
    StoreTile<kTile + 1>(work->sums[kPlace + 1], sizeof(work->sums[0][0]));
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
[[gnu::always_inline]] static inline void ScaleRows(const TileWork& work, int at,
                                                    const TokensOfBlock& x, __m512* acc) {
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

template <int kRow = 0>
[[gnu::always_inline]] static inline void AddRows(const Accumulator& from, __m512* acc) {
  if constexpr (kRow < kTileRows) {
    acc[kRow] = _mm512_add_ps(acc[kRow], _mm512_load_ps(from[kRow]));
    AddRows<kRow + 1>(from, acc);
  }
}

// Adds accumulators in the order of Sum8, each as soon as what it goes with is complete: the total
// ends up in the first.
[[gnu::always_inline]] static inline void SumRows(const GroupBlock& at, __m512* acc) {
  constexpr int kHalf = kSpanBlocks / 2;
  Accumulator* first = at.acc - at.b;
  AddRows(first[at.b - kHalf], acc);
  if (at.b == 7) AddRows(first[1], acc);
  if (at.b >= 6) AddRows(first[0], acc);
  StoreRows(acc, &first[at.b == 5 ? 1 : 0]);
}

// Adds the sums to their accumulator, which stays in registers for kSpans steps; a call would send
// it to memory.
template <class Format, int kSpans, int kSpan>
[[gnu::always_inline]] static inline void ScaleBlock(const TileWork& work, const GroupBlock& at,
                                                     __m512* acc) {
  TokensOfBlock x;
  x.scale = _mm512_load_ps(at.x[kSpan].scale[at.b]);
  if constexpr (Format::kBias) {
    x.sums = _mm512_load_si512(at.x[kSpan].sums[at.b]);
    x.weighted = _mm512_cvtepi32_ps(
        _mm512_dpwssd_epi32(_mm512_setzero_si512(), x.sums, _mm512_set1_epi16(1)));
  }
  if constexpr (kSpan == 0) {
    if (work.begins) {
      ClearRows(acc);
    } else {
      LoadRows(*at.acc, acc);
    }
  }
  ScaleRows<Format, kHalves<Format>*(kSpan % 2)>(work, kSpanBlocks * (work.first + kSpan) + at.b, x,
                                                 acc);
  if constexpr (kSpan == kSpans - 1) {
    if (work.ends && at.b >= kSpanBlocks / 2) {
      SumRows(at, acc);
    } else {
      StoreRows(acc, at.acc);
    }
  }
}

// All blocks of kSpans spans. A product comes late, and until it is stored, loads wait that follow
// in the program and have the low bits of their addresses in common with the store: so a tile is
// stored after the next one is loaded, and scaled after that.
template <class Format, int kSpans>
[[gnu::noinline]] static void MultiplySpans(TileWork* work) {
  constexpr int kStoreLag = kHalves<Format> == 2 || kSpans == 1 ? 0 : 1;
  constexpr int kScaleLag = kSpans == 1 ? 0 : kStoreLag + 1;
  __m512 acc[kTileRows];
  GroupBlock now, before;
  const auto step = [&]<int kSpan>() __attribute__((always_inline)) {
    MultiplyBlock<Format, kSpan>(now);
    if (kSpan >= kStoreLag || before.x != nullptr) {
      StoreBlock<Format, (kSpan + kSpans - kStoreLag) % kSpans>(work);
    }
    if constexpr (kSpan >= kScaleLag) {
      ScaleBlock<Format, kSpans, kSpan - kScaleLag>(*work, now, acc);
    } else if (before.x != nullptr) {
      ScaleBlock<Format, kSpans, kSpan - kScaleLag + kSpans>(*work, before, acc);
    }
  };
  // Where no accumulator is in registers.
  const auto between = [&] {
    for (work->steps_left -= kTileRows; work->steps_left <= 0; work->steps_left += work->steps) {
      if (work->next->row < kTileRows) UnpackNextRow<Format>(work->next);
    }
  };
  constexpr int kStored = (kSpans - 1 + kScaleLag) % kSpans;
  for (int b = 0; b < kSpanBlocks; ++b) {
    LoadWeights<Format, kSpans>(*work, b);
    for (int64_t g = 0; g < work->groups; ++g) {
      now = {b, work->x + g * work->x_stride, &work->acc[g][b]};
      step.template operator()<0>();
      if constexpr (kStored == 0) between();
      if constexpr (kSpans > 1) step.template operator()<1>();
      if constexpr (kStored == 1) between();
      if constexpr (kSpans > 2) step.template operator()<2>();
      if constexpr (kSpans > 2) step.template operator()<3>();
      before = now;
      for (int64_t i = 0; i < work->ahead_lines; ++i, work->ahead += 64) {
        _mm_prefetch(work->ahead, _MM_HINT_T1);
      }
    }
  }
  // What is not scaled yet.
  if constexpr (kStoreLag == 1) StoreBlock<Format, kSpans - 1>(work);
  if constexpr (kScaleLag == 2) ScaleBlock<Format, kSpans, kSpans - 2>(*work, before, acc);
  if constexpr (kScaleLag >= 1) ScaleBlock<Format, kSpans, kSpans - 1>(*work, before, acc);
}

// The sums of 16 rows with n tokens, token by token.
static inline void StoreProducts(const Accumulator& sums, int64_t n, float* y, int64_t y_stride) {
  alignas(64) float of_token[kTileTokens][kTileRows];
  TransposeRows(sums, sizeof(sums[0]), kTileRows / 4, of_token);
  for (int64_t t = 0; t < n; ++t) Store(y + t * y_stride, Load(of_token[t]));
}

// Multiplies kSpans unpacked spans, as many at a time as tiles hold. `last`: of their rows, so that
// accumulators are added up.
template <class Format, int kSpans>
static void MultiplyUnpacked(bool last, TileWork* work) {
  constexpr int kAtOnce = kSpans < kSpansInTiles<Format> ? kSpans : kSpansInTiles<Format>;
  work->steps = work->steps_left = kSpans / kAtOnce * kSpanBlocks * work->groups;
  for (work->first = 0; work->first < kSpans; work->first += kAtOnce) {
    work->ends = last && work->first + kAtOnce == kSpans;
    MultiplySpans<Format, kAtOnce>(work);
    work->x += kAtOnce;
    work->begins = false;
  }
  while (work->next->row < kTileRows) UnpackNextRow<Format>(work->next);
}

// Where the elements are of what has been unpacked.
template <class Format>
static inline void UseElements(const Unpacking& from, TileWork* work) {
  if constexpr (kInPlace<Format>) {
    if (from.tail_blocks == 0) {
      const Row row = RowAt(*from.w, from.begin);
      work->q = Format::At(row, from.first).data + Format::kBytesAt;
      work->row_step = from.w->row_bytes;
      work->span_step = Format::At(row, 1).data - row.data;
      work->block_step = work->span_step / kSpanBlocks;
      return;
    }
  }
  const auto& q = from.out->q;
  work->q = q[0][0];
  work->row_step = sizeof(q[0][0]);
  work->block_step = sizeof(q[0]);
  work->span_step = kSpanBlocks * sizeof(q[0]);
}

// What follows `at` in rows up to row_end: four spans, two, one or what is left of one; at the end
// nothing.
static inline Unpacking After(const Unpacking& at, const Shape& shape, int64_t row_end,
                              WeightRows* out) {
  Unpacking next = {.w = at.w, .begin = at.begin, .first = at.first + at.spans, .out = out};
  if (next.first >= shape.spans + (shape.tail_blocks > 0 ? 1 : 0)) {
    next.begin += kTileRows;
    next.first = 0;
  }
  if (next.begin >= row_end) return next;
  const int64_t whole = shape.spans - next.first;
  next.spans = whole >= 4 ? 4 : whole >= 2 ? 2 : 1;
  next.tail_blocks = whole > 0 ? 0 : shape.tail_blocks;
  next.row = 0;
  return next;
}

// Rows [row_begin, row_end) times n tokens, that are laid out.
template <class Format>
static void RowsTimesTokens(const Matrix& w, int64_t row_begin, int64_t row_end, const TokenSpan* x,
                            int64_t n, float* y, int64_t y_stride) {
  const Shape shape = ShapeOf(w);
  const int64_t spans = shape.spans + (shape.tail_blocks > 0 ? 1 : 0);
  const int64_t rounds = (spans + kSpansInTiles<Format> - 1) / kSpansInTiles<Format>;
  WeightRows rows[2];
  alignas(64) Accumulator acc[kGroups][kSpanBlocks];
  TileWork work;
  work.groups = (n + kTileTokens - 1) / kTileTokens;
  work.x_stride = spans;
  work.acc = acc;
  const int64_t blocks = rounds * kSpanBlocks * work.groups;
  const int64_t lines = kTileRows * w.row_bytes / 64;
  work.ahead_lines = (lines + blocks - 1) / blocks;

  Unpacking now = After({.w = &w, .begin = row_begin}, shape, row_end, &rows[0]);
  while (now.row < kTileRows) UnpackNextRow<Format>(&now);
  for (int other = 1; now.spans > 0; other = 1 - other) {
    const Unpacking after = After(now, shape, row_end, &rows[other]);
    const bool last = after.begin != now.begin;
    Unpacking next = after;
    work.next = &next;
    work.w = now.out;
    UseElements<Format>(now, &work);
    if (now.first == 0) {
      work.x = x;
      work.begins = true;
      work.ahead = w.data + (now.begin + 2 * kTileRows) * w.row_bytes;  // need not exist
    }
    if (now.spans == 4) {
      MultiplyUnpacked<Format, 4>(last, &work);
    } else if (now.spans == 2) {
      MultiplyUnpacked<Format, 2>(last, &work);
    } else {
      MultiplyUnpacked<Format, 1>(last, &work);
    }
    for (int64_t t = 0; last && t < n; t += kTileTokens) {
      const int64_t here = n - t < kTileTokens ? n - t : kTileTokens;
      StoreProducts(acc[t / kTileTokens][0], here, y + t * y_stride + now.begin, y_stride);
    }
    now = after;
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
  // As few rounds as fit, about equal: in a short one most of the time is unpacking.
  const int64_t spans = (w.cols + kSpan - 1) / kSpan;
  const int64_t fit = kTokenSpans / spans < kGroups ? kTokenSpans / spans : kGroups;
  const int64_t groups = (x.n + kTileTokens - 1) / kTileTokens, rounds = (groups + fit - 1) / fit;
  const int64_t most = (groups + rounds - 1) / rounds * kTileTokens;
  TokenSpan tokens[kTokenSpans];
  SetTileShapes(32 / kHalves<Format>);
  for (int64_t t = 0; t < x.n; t += most) {
    const int64_t n = x.n - t < most ? x.n - t : most;
    LayOutTokens(x, t, n, tokens);
    RowsTimesTokens<Format>(w, row_begin, row_end, tokens, n, y + t * y_stride, y_stride);
  }
  ReleaseTiles();
}

}  // namespace flashmoe::amx
