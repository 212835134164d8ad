// Unpacks spans of MLX integers: a little-endian stream of bits.
#pragma once

#include "kernels/avx2/bytes.h"

namespace flashmoe::avx2 {

// Byte k holds elements 4 k .. 4 k + 3.
static inline void UnpackMlx2(const uint8_t* p, Bytes q[4]) {
  const auto spread = [](const uint8_t* bytes) {
    const __m256i one =
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes)));
    const __m256i two = _mm256_or_si256(one, _mm256_slli_epi32(one, 12));
    return _mm256_and_si256(_mm256_or_si256(two, _mm256_slli_epi32(two, 6)),
                            _mm256_set1_epi8(0x03));
  };
  for (int i = 0; i < 4; ++i) q[i] = {spread(p + 16 * i), spread(p + 16 * i + 8)};
}

// Byte k holds elements 2 k and 2 k + 1.
static inline void UnpackMlx4(const uint8_t* p, Bytes q[4]) {
  const auto spread = [](const uint8_t* bytes) {
    const __m256i wide =
        _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
    return _mm256_and_si256(_mm256_or_si256(wide, _mm256_slli_epi16(wide, 4)),
                            _mm256_set1_epi8(0x0f));
  };
  for (int i = 0; i < 4; ++i) q[i] = {spread(p + 32 * i), spread(p + 32 * i + 16)};
}

// Three bytes hold four elements: each three go to a word of their own, whose halves and then
// bytes are moved apart. 24 bytes are read as two overlapping 16.
static inline void UnpackMlx6(const uint8_t* p, Bytes q[4]) {
  const __m256i threes = _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1,  //
                                          4, 5, 6, -1, 7, 8, 9, -1, 10, 11, 12, -1, 13, 14, 15, -1);
  const auto part = [](__m256i v, int mask) {
    return _mm256_and_si256(v, _mm256_set1_epi32(mask));
  };
  const auto spread = [&](const uint8_t* bytes) {
    const auto* low = reinterpret_cast<const __m128i*>(bytes);
    const auto* high = reinterpret_cast<const __m128i*>(bytes + 8);
    const __m256i v = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(low)),
                                              _mm_loadu_si128(high), 1);
    const __m256i words = _mm256_shuffle_epi8(v, threes);
    const __m256i halves =
        _mm256_or_si256(part(words, 0xfff), _mm256_slli_epi32(part(words, 0xfff000), 4));
    return _mm256_or_si256(part(halves, 0x003f003f),
                           _mm256_slli_epi32(part(halves, 0x0fc00fc0), 2));
  };
  for (int i = 0; i < 4; ++i) q[i] = {spread(p + 48 * i), spread(p + 48 * i + 24)};
}

}  // namespace flashmoe::avx2
