// A span of kLanes rows as columns: lane r of a column holds four elements of row r, as products
// of many tokens want them.
#pragma once

#include "kernels/simd/formats.h"
#include "kernels/simd/transpose.h"

namespace flashmoe::FM_ISA {

// What formats have beyond bytes and a scale.
template <bool kBias>
struct BiasColumns {
  float bias[kLanes];
};
template <>
struct BiasColumns<false> {};

template <bool kScalesOf16>
struct ScaleColumns {
  int32_t scale_of_16[2][kLanes];  // of the block's halves
  int32_t offsets[kLanes];         // pairs of int16: kOffset times these
};
template <>
struct ScaleColumns<false> {};

template <bool kMinsOf16>
struct MinColumns {
  int32_t mins[kLanes];  // pairs of int16
};
template <>
struct MinColumns<false> {};

// A block of each row.
template <class Format>
struct alignas(4 * kLanes) BlockColumns : BiasColumns<Format::kBias>,
                                          ScaleColumns<Format::kScalesOf16>,
                                          MinColumns<Format::kMinsOf16> {
  uint8_t q[8][4 * kLanes];  // elements 4 i .. 4 i + 3 of each row
  float scale[kLanes];
};

// A span, row by row.
struct alignas(64) UnpackedRows {
  uint8_t q[kLanes][kSpan];
  float scale[kLanes][kSpanBlocks];
  float bias[kLanes][kSpanBlocks];
  int32_t scale_of_16[kLanes][2 * kSpanBlocks];
  int16_t offsets[kLanes][2 * kSpanBlocks];
  int16_t mins[kLanes][2 * kSpanBlocks];
};

// Packed weights are transposed before they are unpacked, where that is as simple: less is moved.
template <class Format>
constexpr bool kTransposedPacked = Format::kNibbles != Nibbles::kNone || Format::kBytesAt >= 0;

template <class Format>
static inline void UnpackRow(const Row& row, int r, UnpackedRows* out) {
  Span span;
  Format::Unpack(row, &span);
  if constexpr (!kTransposedPacked<Format>) {
    for (int i = 0; i < 4; ++i) StoreBytes(out->q[r] + 64 * i, span.q[i]);
  }
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

// The bytes q of a span of rows that lie `stride` bytes apart; at(b) is the place of block b.
template <class Format, class BlockAt>
static inline void UnpackColumns(const uint8_t* rows, int64_t stride, const BlockAt& at) {
  Vec v[4];
  if constexpr (Format::kNibbles == Nibbles::kHalves) {
    for (int b = 0; b < kSpanBlocks; ++b) {
      LoadColumns(rows + Format::kNibblesAt + b * Format::kBlockBytes, stride, v);
      for (int j = 0; j < 4; ++j) {
        StoreInts(at(b).q[j], Format::OfNibbles(LowNibbles(AsInts(v[j]))));
        StoreInts(at(b).q[4 + j], Format::OfNibbles(HighNibbles(AsInts(v[j]))));
      }
    }
  } else if constexpr (Format::kNibbles == Nibbles::kBlocks) {
    for (int i = 0; i < kSpanBlocks; ++i) {
      LoadColumns(rows + Format::kNibblesAt + 16 * i, stride, v);
      for (int j = 0; j < 4; ++j) {
        StoreInts(at(i / 2 * 2).q[i % 2 * 4 + j], LowNibbles(AsInts(v[j])));
        StoreInts(at(i / 2 * 2 + 1).q[i % 2 * 4 + j], HighNibbles(AsInts(v[j])));
      }
    }
  } else {
    for (int i = 0; i < 2 * kSpanBlocks; ++i) {
      LoadColumns(rows + Format::kBytesAt + i / 2 * Format::kBlockBytes + i % 2 * 16, stride, v);
      for (int j = 0; j < 4; ++j) StoreInts(at(i / 2).q[i % 2 * 4 + j], AsSigned(AsInts(v[j])));
    }
  }
}

// Span `span` of kLanes rows, equally far apart; at(b) is the place of its block b. tail_blocks: of
// an incomplete span; 0 for all others.
template <class Format, class BlockAt>
static inline void MakeColumns(const Row rows[kLanes], int64_t span, int64_t tail_blocks,
                               const BlockAt& at) {
  Row here[kLanes];
  TailBytes copies[kLanes];
  for (int r = 0; r < kLanes; ++r) {
    here[r] = Format::At(rows[r], span);
    if (tail_blocks == 0) continue;
    copies[r] = {};
    here[r] = Format::Tail(here[r], tail_blocks, &copies[r]);
  }
  UnpackedRows unpacked;
  for (int r = 0; r < kLanes; ++r) UnpackRow<Format>(here[r], r, &unpacked);
  const auto columns = [](const auto& words, int quads, const auto& column) {
    TransposeRowsTo(words, sizeof(words[0]), quads, column);
  };
  if constexpr (kTransposedPacked<Format>) {
    UnpackColumns<Format>(here[0].data, here[1].data - here[0].data, at);
  } else {
    columns(unpacked.q, kSpan / 16, [&](int i) { return at(i / 8).q[i % 8]; });
  }
  columns(unpacked.scale, 2, [&](int b) { return at(b).scale; });
  if constexpr (Format::kBias) columns(unpacked.bias, 2, [&](int b) { return at(b).bias; });
  if constexpr (Format::kScalesOf16) {
    columns(unpacked.scale_of_16, 4, [&](int g) { return at(g / 2).scale_of_16[g % 2]; });
    columns(unpacked.offsets, 2, [&](int b) { return at(b).offsets; });
  }
  if constexpr (Format::kMinsOf16) columns(unpacked.mins, 2, [&](int b) { return at(b).mins; });
}

}  // namespace flashmoe::FM_ISA
