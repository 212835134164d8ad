// GGUF types with a scale per block of 32.
#pragma once

#include "kernels/ref/codebooks.h"
#include "kernels/simd/formats.h"

namespace flashmoe::FM_ISA {

template <class Block>
struct Blocks32 : Blocks<kSpanBlocks * sizeof(Block)> {
  static constexpr int kBlockBytes = sizeof(Block);
  template <int kAt>
  static inline __m256 Halves(const Row& row) {
    return GatherHalves<sizeof(Block), kAt>(row.data);
  }
};

// Of which 16 bytes are the nibbles.
template <class Block>
struct Nibbles32 : Blocks32<Block> {
  static constexpr Nibbles kNibbles = Nibbles::kHalves;
  static constexpr int kNibblesAt = offsetof(Block, qs);
  static inline Ints OfNibbles(Ints nibbles) { return nibbles; }
};

struct FormatQ4_0 : Nibbles32<BlockQ4_0> {
  static constexpr int kMax = 15;
  static constexpr int kOffset = -8;
  static inline void Unpack(const Row& row, Span* span) {
    UnpackNibbles<sizeof(BlockQ4_0), 2>(row.data, span->q);
    span->scale = Blocks32::Halves<0>(row);
  }
};

struct FormatQ4_1 : Nibbles32<BlockQ4_1> {
  static constexpr int kMax = 15;
  static constexpr bool kBias = true;
  static inline void Unpack(const Row& row, Span* span) {
    UnpackNibbles<sizeof(BlockQ4_1), 4>(row.data, span->q);
    span->scale = Blocks32::Halves<0>(row);
    span->bias = Blocks32::Halves<2>(row);
  }
};

struct FormatQ5_0 : Blocks32<BlockQ5_0> {
  static constexpr int kMax = 31;
  static constexpr int kOffset = -16;
  static inline void Unpack(const Row& row, Span* span) {
    UnpackNibbles<sizeof(BlockQ5_0), 6>(row.data, span->q);
    AddFifthBits<sizeof(BlockQ5_0), 2>(row.data, span->q);
    span->scale = Blocks32::Halves<0>(row);
  }
};

struct FormatQ5_1 : Blocks32<BlockQ5_1> {
  static constexpr int kMax = 31;
  static constexpr bool kBias = true;
  static inline void Unpack(const Row& row, Span* span) {
    UnpackNibbles<sizeof(BlockQ5_1), 8>(row.data, span->q);
    AddFifthBits<sizeof(BlockQ5_1), 4>(row.data, span->q);
    span->scale = Blocks32::Halves<0>(row);
    span->bias = Blocks32::Halves<2>(row);
  }
};

struct FormatQ8_0 : Blocks32<BlockQ8_0> {
  static constexpr int kMax = 255;
  static constexpr int kOffset = kSignedOffset;
  static constexpr int kBytesAt = offsetof(BlockQ8_0, qs);
  static inline void Unpack(const Row& row, Span* span) {
    UnpackQ8_0(row.data, span->q);
    span->scale = Blocks32::Halves<0>(row);
  }
};

struct FormatIQ4_NL : Nibbles32<BlockIQ4_NL> {
  static constexpr int kMax = 255;
  static constexpr int kOffset = kSignedOffset;
  static inline void Unpack(const Row& row, Span* span) {
    UnpackNibbles<sizeof(BlockIQ4_NL), 2>(row.data, span->q);
    LookUp(SignedTable(ref::kIq4Values), span->q);
    span->scale = Blocks32::Halves<0>(row);
  }
  static inline Ints OfNibbles(Ints nibbles) {
    return LookUp(SignedTable(ref::kIq4Values), nibbles);
  }
};

struct FormatMXFP4 : Nibbles32<BlockMXFP4> {
  static constexpr int kMax = 24;
  static constexpr int kOffset = -12;
  static inline void Unpack(const Row& row, Span* span) {
    UnpackNibbles<sizeof(BlockMXFP4), 1>(row.data, span->q);
    LookUp(Table(), span->q);
    span->scale = Scales(row.data);
  }
  static inline Ints OfNibbles(Ints nibbles) { return LookUp(Table(), nibbles); }

 private:
  static inline __m128i Table() {
    const __m128i values =
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(ref::kE2M1DoubledValues));
    return _mm_add_epi8(values, _mm_set1_epi8(-kOffset));
  }

  // 2^(e - 128), half of the block's scale since the values are doubled: e - 1 is the exponent's
  // field, and where that is no normal number, e = 0 and 1 shift the highest bits of the mantissa.
  static inline __m256 Scales(const uint8_t* p) {
    uint64_t bytes = 0;
    for (int i = 0; i < kSpanBlocks; ++i) {
      bytes |= static_cast<uint64_t>(p[i * static_cast<int>(sizeof(BlockMXFP4))]) << (8 * i);
    }
    const __m256i e = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(bytes)));
    const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
    const __m256i subnormal = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);
    const __m256i is_normal = _mm256_cmpgt_epi32(e, _mm256_set1_epi32(1));
    return _mm256_castsi256_ps(_mm256_blendv_epi8(subnormal, normal, is_normal));
  }
};

}  // namespace flashmoe::FM_ISA
