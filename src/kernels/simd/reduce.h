// Sums and maxima across the lanes of a vector, in a fixed order; and the exponential.
// Included at the end of an instruction set's vector.h.
#pragma once

#include <immintrin.h>

namespace flashmoe::FM_ISA {

static inline float Sum8(__m256 a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

static inline float Sum(Vec a) { return Sum8(Fold8(a)); }

// Lane i of the result is the sum of v[i].
static inline __m256 Sums(const Vec v[8]) {
  const __m256 s01 = _mm256_hadd_ps(Fold8(v[0]), Fold8(v[1]));
  const __m256 s23 = _mm256_hadd_ps(Fold8(v[2]), Fold8(v[3]));
  const __m256 s45 = _mm256_hadd_ps(Fold8(v[4]), Fold8(v[5]));
  const __m256 s67 = _mm256_hadd_ps(Fold8(v[6]), Fold8(v[7]));
  const __m256 s0123 = _mm256_hadd_ps(s01, s23);
  const __m256 s4567 = _mm256_hadd_ps(s45, s67);
  return _mm256_add_ps(_mm256_permute2f128_ps(s0123, s4567, 0x20),
                       _mm256_permute2f128_ps(s0123, s4567, 0x31));
}

static inline float MaxLane(Vec a) {
  const __m256 m = FoldMax8(a);
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(m), _mm256_extractf128_ps(m, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

// Transposes each 4 x 4 square of lanes 4 g .. 4 g + 3.
static inline void TransposeQuads(Vec v[4]) {
  const Vec a = UnpackLow(v[0], v[1]), b = UnpackLow(v[2], v[3]);
  const Vec c = UnpackHigh(v[0], v[1]), d = UnpackHigh(v[2], v[3]);
  v[0] = LowPairs(a, b);
  v[1] = HighPairs(a, b);
  v[2] = LowPairs(c, d);
  v[3] = HighPairs(c, d);
}

// e^x within about one unit in the last place; 0 and infinity beyond the range, NaN for NaN.
// x = n ln 2 + r with |r| <= ln(2) / 2, and e^r by its Taylor series, whose first term left out is
// r^8 / 8! < 6e-9.
static inline Vec Exp(Vec x) {
  x = Max(Set(-104.0f), Min(Set(89.0f), x));
  const Vec n = Round(x * Set(1.44269504f));
  // ln 2 in two parts; n * the first one is exact.
  Vec r = Fnma(n, Set(0.693359375f), x);
  r = Fnma(n, Set(-2.12194440e-4f), r);
  Vec p = Set(1.0f / 5040);
  p = Fma(p, r, Set(1.0f / 720));
  p = Fma(p, r, Set(1.0f / 120));
  p = Fma(p, r, Set(1.0f / 24));
  p = Fma(p, r, Set(1.0f / 6));
  p = Fma(p, r, Set(0.5f));
  p = Fma(p, r * r, r);  // small before large: keeps the last bit
  return MulPow2(p + Set(1.0f), n);
}

}  // namespace flashmoe::FM_ISA
