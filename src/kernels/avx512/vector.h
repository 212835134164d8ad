// Sixteen floats in a register; see avx2/vector.h for what each function does.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/kernels.h"

#ifndef FM_ISA  // amx shares these headers
#define FM_ISA avx512
#endif

namespace flashmoe::FM_ISA {

struct Vec {
  __m512 v;
};
constexpr int kLanes = 16;
constexpr int kFloatTile = 4;
constexpr int kFloatRows = 4;
constexpr int kFloatSums = 1;

static inline Vec Zero() { return {_mm512_setzero_ps()}; }
static inline Vec Set(float x) { return {_mm512_set1_ps(x)}; }
static inline Vec Load(const float* p) { return {_mm512_loadu_ps(p)}; }
static inline void Store(float* p, Vec a) { _mm512_storeu_ps(p, a.v); }

static inline __mmask16 PartMask(int64_t n) { return static_cast<__mmask16>((1u << n) - 1); }
static inline Vec LoadPart(const float* p, int64_t n) {
  return {_mm512_maskz_loadu_ps(PartMask(n), p)};
}
static inline void StorePart(float* p, Vec a, int64_t n) {
  _mm512_mask_storeu_ps(p, PartMask(n), a.v);
}

static inline Vec LoadF16(const void* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)))};
}
static inline Vec LoadI8(const void* p) {
  return {
      _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))))};
}
static inline Vec LoadBF16(const void* p) {
  const __m256i h = _mm256_loadu_si256(static_cast<const __m256i*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16))};
}
static inline void StoreF16(void* p, Vec a) {
  _mm256_storeu_si256(static_cast<__m256i*>(p), _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}
static inline void StoreBF16(void* p, Vec a, uint32_t chance) {
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i step = _mm512_mullo_epi32(lane, _mm512_set1_epi32(static_cast<int>(kChanceStep)));
  const __m512i up =
      _mm512_srli_epi32(_mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(chance)), step), 16);
  const __m512i bits = _mm512_srli_epi32(_mm512_add_epi32(_mm512_castps_si512(a.v), up), 16);
  _mm256_storeu_si256(static_cast<__m256i*>(p), _mm512_cvtepi32_epi16(bits));
}

static inline Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
static inline Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
static inline Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
static inline Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
static inline Vec Fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
static inline Vec Fnma(Vec a, Vec b, Vec c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
static inline Vec Max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
static inline Vec Min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }
static inline Vec Round(Vec a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
static inline Vec MulPow2(Vec a, Vec n) { return {_mm512_scalef_ps(a.v, n.v)}; }

static inline __m256 Fold8(Vec a) {
  return _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
}
static inline __m256 FoldMax8(Vec a) {
  return _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
}

static inline Vec LoadQuads(const void* p, int64_t stride) {
  const auto at = [&](int g) {
    return _mm_loadu_ps(reinterpret_cast<const float*>(static_cast<const char*>(p) + g * stride));
  };
  const __m512 low = _mm512_insertf32x4(_mm512_castps128_ps512(at(0)), at(1), 1);
  return {_mm512_insertf32x4(_mm512_insertf32x4(low, at(2), 2), at(3), 3)};
}
static inline Vec UnpackLow(Vec a, Vec b) { return {_mm512_unpacklo_ps(a.v, b.v)}; }
static inline Vec UnpackHigh(Vec a, Vec b) { return {_mm512_unpackhi_ps(a.v, b.v)}; }
static inline Vec LowPairs(Vec a, Vec b) { return {_mm512_shuffle_ps(a.v, b.v, 0x44)}; }
static inline Vec HighPairs(Vec a, Vec b) { return {_mm512_shuffle_ps(a.v, b.v, 0xee)}; }

}  // namespace flashmoe::FM_ISA

#include "kernels/simd/reduce.h"
