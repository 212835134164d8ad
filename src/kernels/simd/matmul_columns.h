// Many tokens: rows become columns, so that lane r belongs to row r and no sums across lanes
// remain. Columns are made once for all tokens; then a few tokens at a time meet them, one block of
// every span after another, so that sums stay in registers. Each (row, token) sees the operations
// of AddSpan (matmul_int.h) in the same order, with eight accumulators in the place of eight lanes.
#pragma once

#include "kernels/simd/columns.h"
#include "kernels/simd/functions.h"
#include "kernels/simd/tokens.h"

namespace flashmoe::FM_ISA {

// The sums of so many tokens and kTilesAtOnce tiles are as many chains as keep the arithmetic busy,
// and still stay in registers; formats with scales of 16 need more registers.
template <class Format>
constexpr int kTokensAtOnce = Format::kScalesOf16 ? kFewTokens : kManyTokens;
// Tokens of the next group: as few as possible are computed for nothing.
template <class Format>
static inline int64_t NextGroup(int64_t left) {
  const bool fewer = left <= kFewTokens || (left > kManyTokens && left <= 2 * kFewTokens);
  return fewer ? kFewTokens : kTokensAtOnce<Format>;
}
// Longer rows are taken in parts, and the sums of so many tokens are kept in between.
constexpr int kSpansAtOnce = 16;
constexpr int kTokensKept = 64;

// kTiles times kLanes rows: all blocks 0, then all blocks 1, ... of their spans.
template <class Format, int kTiles>
using Columns = BlockColumns<Format>[kSpanBlocks][kSpansAtOnce][kTiles];

// Of one token: accumulator b of each row.
template <int kTiles>
using TileSums = float[kSpanBlocks][kTiles][kLanes];

// Which spans of a row the columns hold.
struct Part {
  int64_t first = 0;                  // span
  int64_t spans = 0;                  // complete ones
  int64_t tail_blocks = 0;            // of the one after them
  bool begins = false, ends = false;  // the row
};

// Memory that will be read later: some lines of it are asked for with every block. It need not
// exist.
struct Ahead {
  uintptr_t at = 0;
  int64_t lines = 0;

  void Ask() {
    for (int64_t i = 0; i < lines; ++i, at += 64) {
      _mm_prefetch(reinterpret_cast<const char*>(at), _MM_HINT_T0);
    }
  }
};

// A token's blocks, and what its sums contribute where it is the same for all rows.
template <class Format>
struct Input {
  static constexpr bool kHasOffset = Format::kOffset != 0 && !Format::kScalesOf16;
  static constexpr bool kHasSums = Format::kBias && !Format::kMinsOf16;

  Token token;
  alignas(32) int32_t offsets[kHasOffset ? kSpansAtOnce * kSpanBlocks : 1];
  alignas(32) float sums[kHasSums ? kSpansAtOnce * kSpanBlocks : 1];

  void Set(const Token& from, int64_t spans) {
    token = from;
    for (int64_t b = 0; b < spans * kSpanBlocks; b += kSpanBlocks) {
      const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from.sums + 2 * b));
      const auto times = [&](int factor) {
        return _mm256_madd_epi16(pairs, _mm256_set1_epi16(static_cast<int16_t>(factor)));
      };
      if constexpr (kHasOffset) StoreWords(offsets + b, times(Format::kOffset));
      if constexpr (kHasSums) _mm256_store_ps(sums + b, _mm256_cvtepi32_ps(times(1)));
    }
  }
};

// dots += the products of `quads` columns from `first` on with tokens at x.
template <class Format, int kTiles, int kTokens>
static inline void AddColumns(const BlockColumns<Format> w[kTiles], const int8_t* const x[kTokens],
                              int first, int quads, Ints dots[kTiles][kTokens]) {
  for (int q = first; q < first + quads; ++q) {
    for (int i = 0; i < kTiles; ++i) {
      const Ints weights = LoadInts(w[i].q[q]);
      for (int t = 0; t < kTokens; ++t) {
        dots[i][t] = AddQuads<Format::kMax <= 127>(dots[i][t], weights, x[t] + 4 * q);
      }
    }
  }
}

// The products of a block as integers; without offsets that differ by row.
template <class Format, int kTiles, int kTokens>
static inline void DotBlock(const BlockColumns<Format> w[kTiles], const Input<Format> x[kTokens],
                            int64_t block, Ints dots[kTiles][kTokens]) {
  const int8_t* q8[kTokens];
  for (int t = 0; t < kTokens; ++t) {
    q8[t] = x[t].token.q8 + 32 * block;
    Ints start = ZeroInts();
    if constexpr (Input<Format>::kHasOffset) start = SetInts(x[t].offsets[block]);
    for (int i = 0; i < kTiles; ++i) dots[i][t] = start;
  }
  if constexpr (!Format::kScalesOf16) {
    AddColumns<Format, kTiles, kTokens>(w, q8, 0, 8, dots);
  } else {
    for (int half = 0; half < 2; ++half) {
      Ints sums[kTiles][kTokens];
      for (auto& row : sums) {
        for (Ints& sum : row) sum = ZeroInts();
      }
      AddColumns<Format, kTiles, kTokens>(w, q8, 4 * half, 4, sums);
      for (int i = 0; i < kTiles; ++i) {
        const Ints scale = LoadInts(w[i].scale_of_16[half]);
        for (int t = 0; t < kTokens; ++t) {
          dots[i][t] = AddInts(dots[i][t], MulInts(sums[i][t], scale));
        }
      }
    }
  }
}

// Block b of `spans` spans, added to accumulator b.
template <class Format, int kTiles, int kTokens>
static inline void AddBlocks(const BlockColumns<Format> (*w)[kTiles], int64_t spans, int b,
                             const Input<Format> x[kTokens], Ahead* ahead,
                             Vec acc[kTiles][kTokens]) {
  for (int64_t s = 0; s < spans; ++s) {
    const BlockColumns<Format>* columns = w[s];
    const int64_t block = s * kSpanBlocks + b;
    ahead->Ask();
    Ints dots[kTiles][kTokens];
    DotBlock<Format, kTiles, kTokens>(columns, x, block, dots);
    for (int t = 0; t < kTokens; ++t) {
      int32_t pair;
      __builtin_memcpy(&pair, x[t].token.sums + 2 * block, sizeof(pair));
      [[maybe_unused]] const Ints pairs = SetInts(pair);  // both sums of the block, in each lane
      const Vec scale_x = Set(x[t].token.scales[block]);
      for (int i = 0; i < kTiles; ++i) {
        Ints dot = dots[i][t];
        if constexpr (Format::kScalesOf16 && Format::kOffset != 0) {
          dot = AddPairs(dot, pairs, LoadInts(columns[i].offsets));
        }
        const Vec scale = Load(columns[i].scale);
        Vec value = ToFloats(dot);
        if constexpr (Format::kBias) {
          Vec sums;
          if constexpr (Format::kMinsOf16) {
            sums = ToFloats(AddPairs(ZeroInts(), pairs, LoadInts(columns[i].mins)));
          } else {
            sums = Set(x[t].sums[block]);
          }
          value = Fma(value, scale, sums * Load(columns[i].bias));
        } else {
          value = value * scale;
        }
        acc[i][t] = Fma(value, scale_x, acc[i][t]);
      }
    }
  }
}

// `count` tokens from t on, at most kTokens. `sums` are those of the row's parts before; afterwards
// of this one as well.
template <class Format, int kTiles, int kTokens>
static inline void TokensTimesColumns(const Columns<Format, kTiles>& w, const Part& part,
                                      const Activations& x, int64_t t, int64_t count, Ahead* ahead,
                                      TileSums<kTiles> sums[kTokens]) {
  Input<Format> at[kTokens], tail_at[kTokens];
  TailToken tails[kTokens];
  for (int64_t i = 0; i < kTokens; ++i) {
    const Token token = TokenAt(x, t + (i < count ? i : count - 1));  // the last one once more
    const int64_t block = part.first * kSpanBlocks;
    const Token first = {token.q8 + 32 * block, token.scales + block, token.sums + 2 * block};
    at[i].Set(first, part.spans);
    if (part.tail_blocks == 0) continue;
    CopyTail(first, {part.spans, part.tail_blocks}, &tails[i]);
    tail_at[i].Set({tails[i].q8, tails[i].scales, tails[i].sums}, 1);
  }
  for (int b = 0; b < kSpanBlocks; ++b) {
    Vec acc[kTiles][kTokens];
    for (int i = 0; i < kTiles; ++i) {
      for (int k = 0; k < kTokens; ++k) acc[i][k] = part.begins ? Zero() : Load(sums[k][b][i]);
    }
    AddBlocks<Format, kTiles, kTokens>(w[b], part.spans, b, at, ahead, acc);
    if (part.tail_blocks > 0) {
      AddBlocks<Format, kTiles, kTokens>(w[b] + part.spans, 1, b, tail_at, ahead, acc);
    }
    for (int i = 0; i < kTiles; ++i) {
      for (int k = 0; k < kTokens; ++k) Store(sums[k][b][i], acc[i][k]);
    }
  }
}

// Adds the accumulators of a row in the order of Sum8.
template <int kTiles>
static inline Vec SumTile(const TileSums<kTiles>& sums, int i) {
  const auto pair = [&](int b) { return Load(sums[b][i]) + Load(sums[b + 4][i]); };
  return (pair(0) + pair(2)) + (pair(1) + pair(3));
}

// Rows [begin, begin + kTiles * kLanes) times all tokens.
template <class Format, int kTiles>
static void TilesTimesTokens(const Matrix& w, int64_t begin, const Activations& x, float* y,
                             int64_t y_stride) {
  const Shape shape = ShapeOf(w);
  const int64_t spans = shape.spans + (shape.tail_blocks > 0 ? 1 : 0);
  const bool in_parts = spans > kSpansAtOnce;
  const int64_t most = in_parts ? kTokensKept : x.n;
  Columns<Format, kTiles> columns;
  alignas(64) TileSums<kTiles> kept[kTokensKept + kManyTokens];  // the last group may be less
  constexpr uint64_t kInputBytes = 2 * kTokensAtOnce<Format> * sizeof(Input<Format>);
  static_assert(sizeof(columns) + sizeof(kept) + kInputBytes + 6144 <= kStackBytes);
  Row rows[kTiles][kLanes];
  for (int i = 0; i < kTiles; ++i) {
    for (int r = 0; r < kLanes; ++r) rows[i][r] = RowAt(w, begin + i * kLanes + r);
  }
  // The next rows, evenly over what there is to do.
  const int64_t bytes = kTiles * kLanes * w.row_bytes;
  constexpr int kTokens = kTokensAtOnce<Format>;
  const int64_t blocks = spans * kSpanBlocks * ((x.n + kTokens - 1) / kTokens);
  Ahead ahead = {reinterpret_cast<uintptr_t>(rows[0][0].data) + static_cast<uintptr_t>(bytes),
                 (bytes / 64 + blocks - 1) / blocks};
  for (int64_t first = 0; first < x.n; first += most) {
    const int64_t n = x.n - first < most ? x.n - first : most;
    for (int64_t s = 0; s < spans; s += kSpansAtOnce) {
      Part part = {.first = s, .begins = s == 0, .ends = s + kSpansAtOnce >= spans};
      part.spans = part.ends ? shape.spans - s : kSpansAtOnce;
      part.tail_blocks = part.ends ? shape.tail_blocks : 0;
      for (int i = 0; i < kTiles; ++i) {
        for (int64_t k = 0; k < part.spans + (part.tail_blocks > 0 ? 1 : 0); ++k) {
          MakeColumns<Format>(
              rows[i], s + k, k == part.spans ? part.tail_blocks : 0, [&](int b) -> auto& {
                return columns[b][k][i];
              });
        }
      }
      for (int64_t t = 0, count; t < n; t += count) {
        const int64_t together = NextGroup<Format>(n - t);
        count = n - t < together ? n - t : together;
        TileSums<kTiles>* sums = kept + (in_parts ? t : 0);
        const auto multiply = together == kTokens ? TokensTimesColumns<Format, kTiles, kTokens>
                                                  : TokensTimesColumns<Format, kTiles, kFewTokens>;
        multiply(columns, part, x, first + t, count, &ahead, sums);
        for (int64_t k = 0; part.ends && k < count; ++k) {
          float* out = y + (first + t + k) * y_stride + begin;
          for (int i = 0; i < kTiles; ++i) Store(out + i * kLanes, SumTile<kTiles>(sums[k], i));
        }
      }
    }
  }
}

}  // namespace flashmoe::FM_ISA
