// GGUF types whose runs of 8 or 4 elements are rows of a grid, with signs. A row's magnitudes are
// looked up; q is 64 plus or minus them.
#pragma once

#include "kernels/ref/iq_grids.h"
#include "kernels/simd/formats.h"

namespace flashmoe::FM_ISA {

template <class Block>
struct GridBlocks : Blocks<sizeof(Block)> {
  static constexpr int kOffset = -ref::kGridOffset;
  static inline const Block& Of(const Row& row) {
    return *reinterpret_cast<const Block*>(row.data);
  }
};

// Signs of the 256 elements: bit i % 8 of byte i / 8 is set where element i is negative.
struct alignas(32) Signs {
  uint8_t bits[kSpan / 8];
};

// The highest bit of byte i is set where i has an odd number of ones.
static inline __m128i OddParity() {
  const char odd = static_cast<char>(0x80);
  return _mm_setr_epi8(0, odd, odd, 0, odd, 0, 0, odd, odd, 0, 0, odd, 0, odd, odd, 0);
}

// Seven signs a byte are stored; the eighth makes the number of minus signs even.
static inline Signs WithEighth(__m256i seven) {
  const __m256i parity = _mm256_broadcastsi128_si256(OddParity());
  const __m256i folded = _mm256_and_si256(_mm256_xor_si256(seven, _mm256_srli_epi16(seven, 4)),
                                          _mm256_set1_epi8(0x0f));
  Signs out;
  _mm256_store_si256(reinterpret_cast<__m256i*>(out.bits),
                     _mm256_or_si256(seven, _mm256_shuffle_epi8(parity, folded)));
  return out;
}

// Four times seven signs in the low 28 bits of each word.
static inline Signs SignsOfWords(__m256i words) {
  const auto pick = [](__m256i v, int mask) {
    return _mm256_and_si256(v, _mm256_set1_epi32(mask));
  };
  const __m256i halves =
      _mm256_or_si256(pick(words, 0x3fff), _mm256_slli_epi32(pick(words, 0x0fffc000), 2));
  return WithEighth(
      _mm256_or_si256(pick(halves, 0x007f007f), _mm256_slli_epi32(pick(halves, 0x3f803f80), 1)));
}

// d * part * (0.5 + s), s being the top four bits of each word.
static inline __m256 ScalesOfWords(__m256i words, uint16_t d, float part) {
  const __m256 s = _mm256_cvtepi32_ps(_mm256_srli_epi32(words, 28));
  return _mm256_mul_ps(_mm256_mul_ps(BroadcastF16(d), _mm256_set1_ps(part)),
                       _mm256_add_ps(s, _mm256_set1_ps(0.5f)));
}

// d * (2 s + 1) for the eight nibbles s at p.
static inline __m256 ScalesOfNibbles(const uint8_t p[4], uint16_t d) {
  uint32_t nibbles;
  __builtin_memcpy(&nibbles, p, sizeof(nibbles));
  const __m256i s = NibblesOf(nibbles);
  const __m256i odd = _mm256_add_epi32(_mm256_add_epi32(s, s), _mm256_set1_epi32(1));
  return _mm256_mul_ps(BroadcastF16(d), _mm256_cvtepi32_ps(odd));
}

// Of the types with OddScales(): d / 8.
static inline __m256 EighthOf(uint16_t d) {
  return _mm256_mul_ps(BroadcastF16(d), _mm256_set1_ps(0.125f));
}

// Scales of 16: 2 s + 1 for the 16 nibbles s at p.
static inline __m128i OddScales(const uint8_t* p) {
  const __m128i s = NibblesInOrder(p);
  return _mm_add_epi8(_mm_add_epi8(s, s), _mm_set1_epi8(1));
}

struct FormatIQ2_XXS : GridBlocks<BlockIQ2_XXS> {
  static inline void Unpack(const Row& row, Span* span) {
    const BlockIQ2_XXS& block = Of(row);
    const __m256 low = _mm256_loadu_ps(reinterpret_cast<const float*>(block.qs));
    const __m256 high = _mm256_loadu_ps(reinterpret_cast<const float*>(block.qs + 32));
    const __m256i words = EveryOther<0xdd>(low, high);
    alignas(32) uint8_t index[32];
    _mm256_store_si256(reinterpret_cast<__m256i*>(index), EveryOther<0x88>(low, high));
    UnpackRowsOf8(ref::kIq2XxsRows.row, index, SignsOfWords(words).bits, span->q);
    span->scale = ScalesOfWords(words, block.d, 0.25f);
  }

 private:
  template <int kWhich>
  static inline __m256i EveryOther(__m256 low, __m256 high) {
    const __m256i v = _mm256_castps_si256(_mm256_shuffle_ps(low, high, kWhich));
    return _mm256_permute4x64_epi64(v, 0xd8);
  }
};

struct FormatIQ2_XS : GridBlocks<BlockIQ2_XS> {
  static constexpr bool kScalesOf16 = true;
  static inline void Unpack(const Row& row, Span* span) {
    const BlockIQ2_XS& block = Of(row);
    alignas(32) uint16_t index[32];
    __m256i signs[2];
    for (int i = 0; i < 2; ++i) {
      const __m256i v = Load32(block.qs + 16 * i);
      signs[i] = _mm256_srli_epi16(v, 9);
      _mm256_store_si256(reinterpret_cast<__m256i*>(index + 16 * i),
                         _mm256_and_si256(v, _mm256_set1_epi16(511)));
    }
    const __m256i seven = _mm256_permute4x64_epi64(_mm256_packus_epi16(signs[0], signs[1]), 0xd8);
    UnpackRowsOf8(ref::kIq2XsRows.row, index, WithEighth(seven).bits, span->q);
    span->scales = OddScales(block.scales);
    span->scale = EighthOf(block.d);
  }
};

struct FormatIQ2_S : GridBlocks<BlockIQ2_S> {
  static constexpr bool kScalesOf16 = true;
  static inline void Unpack(const Row& row, Span* span) {
    const BlockIQ2_S& block = Of(row);
    // Four times two bits of each byte of qh.
    const __m256i wide =
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(block.qh)));
    const __m256i two = _mm256_or_si256(wide, _mm256_slli_epi32(wide, 12));
    const __m256i top =
        _mm256_and_si256(_mm256_or_si256(two, _mm256_slli_epi32(two, 6)), _mm256_set1_epi8(0x03));
    alignas(32) uint16_t index[32];
    for (int i = 0; i < 2; ++i) {
      const auto* low = reinterpret_cast<const __m128i*>(block.qs + 16 * i);
      const __m128i high = i == 0 ? _mm256_castsi256_si128(top) : _mm256_extracti128_si256(top, 1);
      _mm256_store_si256(reinterpret_cast<__m256i*>(index + 16 * i),
                         _mm256_or_si256(_mm256_cvtepu8_epi16(_mm_loadu_si128(low)),
                                         _mm256_slli_epi16(_mm256_cvtepu8_epi16(high), 8)));
    }
    UnpackRowsOf8(ref::kIq2SRows.row, index, block.signs, span->q);
    span->scales = OddScales(block.scales);
    span->scale = EighthOf(block.d);
  }
};

struct FormatIQ3_XXS : GridBlocks<BlockIQ3_XXS> {
  static inline void Unpack(const Row& row, Span* span) {
    const BlockIQ3_XXS& block = Of(row);
    const __m256i words = Load32(block.signs);
    UnpackRowsOf4(ref::kIq3XxsRows.row, block.qs, SignsOfWords(words).bits, span->q);
    span->scale = ScalesOfWords(words, block.d, 0.5f);
  }
};

struct FormatIQ3_S : GridBlocks<BlockIQ3_S> {
  static inline void Unpack(const Row& row, Span* span) {
    const BlockIQ3_S& block = Of(row);
    const __m256i bit = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096,
                                          8192, 16384, static_cast<int16_t>(0x8000));
    alignas(32) uint16_t index[64];
    for (int i = 0; i < 4; ++i) {
      uint16_t ninth;
      __builtin_memcpy(&ninth, block.qh + 2 * i, sizeof(ninth));
      const auto* low = reinterpret_cast<const __m128i*>(block.qs + 16 * i);
      const __m256i bits = _mm256_and_si256(_mm256_set1_epi16(static_cast<int16_t>(ninth)), bit);
      const __m256i high = _mm256_and_si256(_mm256_cmpeq_epi16(bits, bit), _mm256_set1_epi16(256));
      _mm256_store_si256(reinterpret_cast<__m256i*>(index + 16 * i),
                         _mm256_or_si256(_mm256_cvtepu8_epi16(_mm_loadu_si128(low)), high));
    }
    UnpackRowsOf4(ref::kIq3SRows.row, index, block.signs, span->q);
    span->scale = ScalesOfNibbles(block.scales, block.d);
  }
};

}  // namespace flashmoe::FM_ISA
