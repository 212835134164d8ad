// Unpacks spans of MLX integers: a little-endian stream of bits.
#pragma once

#include "kernels/avx512/bytes.h"

namespace flashmoe::FM_ISA {

// Byte k holds elements 4 k .. 4 k + 3.
static inline void UnpackMlx2(const uint8_t* p, Bytes q[4]) {
  for (int i = 0; i < 4; ++i) {
    const auto* bytes = reinterpret_cast<const __m128i*>(p + 16 * i);
    const __m512i one = _mm512_cvtepu8_epi32(_mm_loadu_si128(bytes));
    const __m512i two = _mm512_or_si512(one, _mm512_slli_epi32(one, 12));
    q[i] = {
        _mm512_and_si512(_mm512_or_si512(two, _mm512_slli_epi32(two, 6)), _mm512_set1_epi8(0x03))};
  }
}

// Byte k holds elements 2 k and 2 k + 1.
static inline void UnpackMlx4(const uint8_t* p, Bytes q[4]) {
  for (int i = 0; i < 4; ++i) {
    const __m512i wide = _mm512_cvtepu8_epi16(Load32(p + 32 * i));
    q[i] = {_mm512_and_si512(_mm512_or_si512(wide, _mm512_slli_epi16(wide, 4)),
                             _mm512_set1_epi8(0x0f))};
  }
}

// Three bytes hold four elements: each three go to a word of their own, whose halves and then
// bytes are moved apart.
static inline void UnpackMlx6(const uint8_t* p, Bytes q[4]) {
  const __m512i quarters = _mm512_setr_epi32(0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11);
  const __m512i threes =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1));
  const auto part = [](__m512i v, int mask) {
    return _mm512_and_si512(v, _mm512_set1_epi32(mask));
  };
  for (int i = 0; i < 4; ++i) {
    const __m512i v = _mm512_maskz_loadu_epi32(0x0fff, p + 48 * i);
    const __m512i words = _mm512_shuffle_epi8(_mm512_permutexvar_epi32(quarters, v), threes);
    const __m512i halves =
        _mm512_or_si512(part(words, 0xfff), _mm512_slli_epi32(part(words, 0xfff000), 4));
    q[i] = {
        _mm512_or_si512(part(halves, 0x003f003f), _mm512_slli_epi32(part(halves, 0x0fc00fc0), 2))};
  }
}

}  // namespace flashmoe::FM_ISA
