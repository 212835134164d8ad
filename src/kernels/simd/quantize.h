// Activations as int8 with a scale per 32 elements.
#pragma once

#include "kernels/kernels.h"

namespace flashmoe::FM_ISA {

// The largest |x[i]| as bits, in whose order infinity and NaN stand above all numbers.
static inline int32_t MaxMagnitude32(const float* x) {
  const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
  __m256i m = _mm256_setzero_si256();
  for (int i = 0; i < 4; ++i) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + 8 * i));
    m = _mm256_max_epi32(m, _mm256_and_si256(bits, magnitude));
  }
  __m128i h = _mm_max_epi32(_mm256_castsi256_si128(m), _mm256_extracti128_si256(m, 1));
  h = _mm_max_epi32(h, _mm_shuffle_epi32(h, 0x4e));
  return _mm_cvtsi128_si32(_mm_max_epi32(h, _mm_shuffle_epi32(h, 0xb1)));
}

// The sums of both halves.
static inline void Sums16(__m256i bytes, int16_t sums[2]) {
  const __m256i ones = _mm256_set1_epi8(1);
  __m256i s = _mm256_madd_epi16(_mm256_maddubs_epi16(ones, bytes), _mm256_set1_epi16(1));
  s = _mm256_add_epi32(s, _mm256_shuffle_epi32(s, 0x4e));
  s = _mm256_add_epi32(s, _mm256_shuffle_epi32(s, 0xb1));
  sums[0] = static_cast<int16_t>(_mm_cvtsi128_si32(_mm256_castsi256_si128(s)));
  sums[1] = static_cast<int16_t>(_mm_cvtsi128_si32(_mm256_extracti128_si256(s, 1)));
}

// 32 numbers with |x| <= 127 scale, rounded to nearest even.
static inline __m256i Quantize32(const float* x, float scale) {
  const __m256 divisor = _mm256_set1_ps(scale);
  __m256i v[4];
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm256_cvtps_epi32(_mm256_div_ps(_mm256_loadu_ps(x + 8 * i), divisor));
  }
  const __m256i packed =
      _mm256_packs_epi16(_mm256_packs_epi32(v[0], v[1]), _mm256_packs_epi32(v[2], v[3]));
  // The packs work in 128-bit halves; put groups of four bytes back in order.
  return _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

// Bit for bit what the scalar table does: a block with a NaN or an infinity becomes NaN through its
// scale, one whose scale would be subnormal becomes zero.
static inline void QuantizeQ8(const float* x, int64_t n, int64_t cols, int8_t* q8, float* scales,
                              int16_t* sums) {
  const int64_t blocks = n * (cols / 32);
  for (int64_t b = 0; b < blocks; ++b) {
    const int32_t largest = MaxMagnitude32(x + 32 * b);
    const bool finite = largest < 0x7f800000;
    const float scale = __builtin_bit_cast(float, largest) / 127.0f;
    const bool usable = finite && scale >= __FLT_MIN__;
    const __m256i q = usable ? Quantize32(x + 32 * b, scale) : _mm256_setzero_si256();
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(q8 + 32 * b), q);
    scales[b] = finite ? (usable ? scale : 0.0f) : __builtin_nanf("");
    Sums16(q, sums + 2 * b);
  }
}

}  // namespace flashmoe::FM_ISA
