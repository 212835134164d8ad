// Eight floats in a register. The shared code of kernels/simd is compiled once per instruction set
// inside that set's namespace (FM_ISA), so no symbol of one can be linked into another.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/kernels.h"

#define FM_ISA avx2

namespace flashmoe::avx2 {

struct Vec {
  __m256 v;
};
constexpr int kLanes = 8;
// Float products: how many tokens a weight is multiplied with while it is in a register, how many
// rows with them, and the sums of each that take vectors in turn. As many as keep the units busy,
// with many tokens and with one, and leave registers for the factors.
constexpr int kFloatTile = 2;
constexpr int kFloatRows = 2;
constexpr int kFloatSums = 2;

static inline Vec Zero() { return {_mm256_setzero_ps()}; }
static inline Vec Set(float x) { return {_mm256_set1_ps(x)}; }
static inline Vec Load(const float* p) { return {_mm256_loadu_ps(p)}; }
static inline void Store(float* p, Vec a) { _mm256_storeu_ps(p, a.v); }

// The first n < kLanes elements; the others are zero.
static inline __m256i PartMask(int64_t n) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lane);
}
static inline Vec LoadPart(const float* p, int64_t n) {
  return {_mm256_maskload_ps(p, PartMask(n))};
}
static inline void StorePart(float* p, Vec a, int64_t n) {
  _mm256_maskstore_ps(p, PartMask(n), a.v);
}

// kLanes values of 16 bits, at any address.
static inline Vec LoadF16(const void* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(p)))};
}
static inline Vec LoadI8(const void* p) {
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadu_si64(p)))};
}
static inline Vec LoadBF16(const void* p) {
  const __m128i h = _mm_loadu_si128(static_cast<const __m128i*>(p));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16))};
}
static inline void StoreF16(void* p, Vec a) {
  _mm_storeu_si128(static_cast<__m128i*>(p), _mm256_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}
// Lane i rounded up by the upper half of chance + i * kChanceStep; see axpy_bf16.
static inline void StoreBF16(void* p, Vec a, uint32_t chance) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i step = _mm256_mullo_epi32(lane, _mm256_set1_epi32(static_cast<int>(kChanceStep)));
  const __m256i up =
      _mm256_srli_epi32(_mm256_add_epi32(_mm256_set1_epi32(static_cast<int>(chance)), step), 16);
  const __m256i bits = _mm256_srli_epi32(_mm256_add_epi32(_mm256_castps_si256(a.v), up), 16);
  _mm_storeu_si128(static_cast<__m128i*>(p), _mm_packus_epi32(_mm256_castsi256_si128(bits),
                                                              _mm256_extracti128_si256(bits, 1)));
}

static inline Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
static inline Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
static inline Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
static inline Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
// a * b + c, and c - a * b.
static inline Vec Fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
static inline Vec Fnma(Vec a, Vec b, Vec c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
// NaN if b is NaN.
static inline Vec Max(Vec a, Vec b) { return {_mm256_max_ps(a.v, b.v)}; }
static inline Vec Min(Vec a, Vec b) { return {_mm256_min_ps(a.v, b.v)}; }
static inline Vec Round(Vec a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}

// a * 2^n for integers n in [-152, 130], in two steps: 2^n itself may not be a float.
static inline Vec MulPow2(Vec a, Vec n) {
  const __m256i whole = _mm256_cvtps_epi32(n.v);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  const __m256i bias = _mm256_set1_epi32(127);
  const __m256i p0 = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
  const __m256i p1 = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(whole, half), bias), 23);
  return {_mm256_mul_ps(_mm256_mul_ps(a.v, _mm256_castsi256_ps(p0)), _mm256_castsi256_ps(p1))};
}

static inline __m256 Fold8(Vec a) { return a.v; }  // to eight lanes
static inline __m256 FoldMax8(Vec a) { return a.v; }

// Lanes 4 g .. 4 g + 3 are the 16 bytes at p + g * stride.
static inline Vec LoadQuads(const void* p, int64_t stride) {
  const auto at = [&](int g) {
    return _mm_loadu_ps(reinterpret_cast<const float*>(static_cast<const char*>(p) + g * stride));
  };
  return {_mm256_insertf128_ps(_mm256_castps128_ps256(at(0)), at(1), 1)};
}
static inline Vec UnpackLow(Vec a, Vec b) { return {_mm256_unpacklo_ps(a.v, b.v)}; }
static inline Vec UnpackHigh(Vec a, Vec b) { return {_mm256_unpackhi_ps(a.v, b.v)}; }
static inline Vec LowPairs(Vec a, Vec b) { return {_mm256_shuffle_ps(a.v, b.v, 0x44)}; }
static inline Vec HighPairs(Vec a, Vec b) { return {_mm256_shuffle_ps(a.v, b.v, 0xee)}; }

}  // namespace flashmoe::avx2

#include "kernels/simd/reduce.h"
