// Unpacks spans of the GGUF types with blocks of 256.
#pragma once

#include "kernels/avx2/bytes.h"

namespace flashmoe::avx2 {

static inline void UnpackQ2_K(const uint8_t* qs, Bytes q[4]) {
  const auto two = [](__m256i v) { return _mm256_and_si256(v, _mm256_set1_epi8(0x03)); };
  for (int half = 0; half < 2; ++half) {
    const __m256i v = Load32(qs + 32 * half);
    q[2 * half] = {two(v), two(_mm256_srli_epi16(v, 2))};
    q[2 * half + 1] = {two(_mm256_srli_epi16(v, 4)), two(_mm256_srli_epi16(v, 6))};
  }
}

// Adds kBit to the bytes of block b where bit b of h is set.
template <int kBit>
static inline void AddBitOfBlock(__m256i h, Bytes q[4]) {
  constexpr int kAt = __builtin_ctz(kBit);
  const auto add = [h](__m256i v, int b) {
    const __m256i moved = b < kAt ? _mm256_slli_epi16(h, kAt - b) : _mm256_srli_epi16(h, b - kAt);
    return _mm256_or_si256(v, _mm256_and_si256(moved, _mm256_set1_epi8(kBit)));
  };
  for (int i = 0; i < 4; ++i) q[i] = {add(q[i].lo, 2 * i), add(q[i].hi, 2 * i + 1)};
}

static inline void UnpackQ3_K(const uint8_t* qs, const uint8_t* hmask, Bytes q[4]) {
  UnpackQ2_K(qs, q);
  AddBitOfBlock<4>(Load32(hmask), q);
}

static inline void UnpackQ4_K(const uint8_t* qs, Bytes q[4]) {
  const __m256i low = _mm256_set1_epi8(0x0f);
  for (int i = 0; i < 4; ++i) {
    const __m256i v = Load32(qs + 32 * i);
    q[i] = {_mm256_and_si256(v, low), _mm256_and_si256(_mm256_srli_epi16(v, 4), low)};
  }
}

static inline void UnpackQ5_K(const uint8_t* qs, const uint8_t* qh, Bytes q[4]) {
  UnpackQ4_K(qs, q);
  AddBitOfBlock<16>(Load32(qh), q);
}

static inline void UnpackQ6_K(const uint8_t* ql, const uint8_t* qh, Bytes q[4]) {
  const __m256i low = _mm256_set1_epi8(0x0f), high = _mm256_set1_epi8(0x30);
  for (int half = 0; half < 2; ++half) {
    const __m256i a = Load32(ql + 64 * half), b = Load32(ql + 64 * half + 32);
    const __m256i h = Load32(qh + 32 * half);
    const auto join = [&](__m256i four, __m256i two) {
      return _mm256_or_si256(_mm256_and_si256(four, low), _mm256_and_si256(two, high));
    };
    q[2 * half] = {join(a, _mm256_slli_epi16(h, 4)), join(b, _mm256_slli_epi16(h, 2))};
    q[2 * half + 1] = {join(_mm256_srli_epi16(a, 4), h),
                       join(_mm256_srli_epi16(b, 4), _mm256_srli_epi16(h, 2))};
  }
}

}  // namespace flashmoe::avx2
