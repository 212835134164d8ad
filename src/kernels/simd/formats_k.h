// GGUF types of 256 elements whose blocks or groups have small integer scales.
#pragma once

#include "kernels/ref/codebooks.h"
#include "kernels/simd/formats.h"

namespace flashmoe::FM_ISA {

// Eight bytes as floats.
static inline __m256 FloatsOfBytes(uint32_t low, uint32_t high) {
  const auto both = static_cast<int64_t>(static_cast<uint64_t>(high) << 32 | low);
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(both)));
}
static inline __m256 BroadcastMinusF16(uint16_t bits) {
  return BroadcastF16(static_cast<uint16_t>(bits ^ 0x8000));
}

// Scales and minima of Q4_K and Q5_K: 8 times 6 bits each (tensor/blocks.h), four at a time.
static inline void UnpackScalesK(const uint8_t bytes[12], uint16_t d, uint16_t dmin, Span* span) {
  uint32_t word[3];
  __builtin_memcpy(word, bytes, sizeof(word));
  const uint32_t six = 0x3f3f3f3f, four = 0x0f0f0f0f, top = 0x30303030;
  const uint32_t scale_high = (word[2] & four) | (word[0] >> 2 & top);
  const uint32_t min_high = (word[2] >> 4 & four) | (word[1] >> 2 & top);
  span->scale = _mm256_mul_ps(BroadcastF16(d), FloatsOfBytes(word[0] & six, scale_high));
  span->bias = _mm256_mul_ps(BroadcastMinusF16(dmin), FloatsOfBytes(word[1] & six, min_high));
}

struct FormatQ2_K : Blocks<sizeof(BlockQ2_K)> {
  static constexpr int kMax = 3;
  static constexpr bool kScalesOf16 = true;
  static constexpr bool kBias = true;
  static constexpr bool kMinsOf16 = true;
  static inline void Unpack(const Row& row, Span* span) {
    const auto* block = reinterpret_cast<const BlockQ2_K*>(row.data);
    UnpackQ2_K(block->qs, span->q);
    const __m128i both = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block->scales));
    const __m128i low = _mm_set1_epi8(0x0f);
    span->scales = _mm_and_si128(both, low);
    span->mins = _mm_and_si128(_mm_srli_epi16(both, 4), low);
    span->scale = BroadcastF16(block->d);
    span->bias = BroadcastMinusF16(block->dmin);
  }
};

struct FormatQ3_K : Blocks<sizeof(BlockQ3_K)> {
  static constexpr int kMax = 7;
  static constexpr bool kScalesOf16 = true;
  static constexpr int kOffset = -4;
  static inline void Unpack(const Row& row, Span* span) {
    const auto* block = reinterpret_cast<const BlockQ3_K*>(row.data);
    UnpackQ3_K(block->qs, block->hmask, span->q);
    span->scales = Scales(block->scales);
    span->scale = BroadcastF16(block->d);
  }

 private:
  static inline __m128i Scales(const uint8_t bytes[12]) {
    uint64_t nibbles;
    uint32_t tops;
    __builtin_memcpy(&nibbles, bytes, sizeof(nibbles));
    __builtin_memcpy(&tops, bytes + 8, sizeof(tops));
    const uint64_t four = 0x0f0f0f0f0f0f0f0f;
    const __m128i low = _mm_set_epi64x(static_cast<int64_t>(nibbles >> 4 & four),
                                       static_cast<int64_t>(nibbles & four));
    const __m128i pairs =
        _mm_srlv_epi32(_mm_set1_epi32(static_cast<int32_t>(tops)), _mm_setr_epi32(0, 2, 4, 6));
    const __m128i top = _mm_slli_epi16(_mm_and_si128(pairs, _mm_set1_epi8(0x03)), 4);
    return _mm_sub_epi8(_mm_or_si128(low, top), _mm_set1_epi8(32));
  }
};

struct FormatQ4_K : Blocks<sizeof(BlockQ4_K)> {
  static constexpr Nibbles kNibbles = Nibbles::kBlocks;
  static constexpr int kNibblesAt = offsetof(BlockQ4_K, qs);
  static constexpr int kMax = 15;
  static constexpr bool kBias = true;
  static inline void Unpack(const Row& row, Span* span) {
    const auto* block = reinterpret_cast<const BlockQ4_K*>(row.data);
    UnpackQ4_K(block->qs, span->q);
    UnpackScalesK(block->scales, block->d, block->dmin, span);
  }
};

struct FormatQ5_K : Blocks<sizeof(BlockQ5_K)> {
  static constexpr int kMax = 31;
  static constexpr bool kBias = true;
  static inline void Unpack(const Row& row, Span* span) {
    const auto* block = reinterpret_cast<const BlockQ5_K*>(row.data);
    UnpackQ5_K(block->qs, block->qh, span->q);
    UnpackScalesK(block->scales, block->d, block->dmin, span);
  }
};

struct FormatQ6_K : Blocks<sizeof(BlockQ6_K)> {
  static constexpr int kMax = 63;
  static constexpr bool kScalesOf16 = true;
  static constexpr int kOffset = -32;
  static inline void Unpack(const Row& row, Span* span) {
    const auto* block = reinterpret_cast<const BlockQ6_K*>(row.data);
    UnpackQ6_K(block->ql, block->qh, span->q);
    span->scales = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block->scales));
    span->scale = BroadcastF16(block->d);
  }
};

struct FormatIQ4_XS : Blocks<sizeof(BlockIQ4_XS)> {
  static constexpr Nibbles kNibbles = Nibbles::kHalves;
  static constexpr int kNibblesAt = offsetof(BlockIQ4_XS, qs);
  static constexpr int kBlockBytes = 16;
  static constexpr int kMax = 255;
  static constexpr int kOffset = kSignedOffset;
  static inline void Unpack(const Row& row, Span* span) {
    const auto* block = reinterpret_cast<const BlockIQ4_XS*>(row.data);
    UnpackNibbles<16, 0>(block->qs, span->q);
    LookUp(SignedTable(ref::kIq4Values), span->q);
    span->scale = _mm256_mul_ps(BroadcastF16(block->d), Scales(*block));
  }
  static inline Ints OfNibbles(Ints nibbles) {
    return LookUp(SignedTable(ref::kIq4Values), nibbles);
  }

 private:
  static inline __m256 Scales(const BlockIQ4_XS& block) {
    uint32_t nibbles;
    __builtin_memcpy(&nibbles, block.scales_l, sizeof(nibbles));
    const __m256i shift = _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14);
    const __m256i top = _mm256_and_si256(
        _mm256_srlv_epi32(_mm256_set1_epi32(block.scales_h), shift), _mm256_set1_epi32(3));
    const __m256i six = _mm256_or_si256(NibblesOf(nibbles), _mm256_slli_epi32(top, 4));
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(six, _mm256_set1_epi32(32)));
  }
};

}  // namespace flashmoe::FM_ISA
