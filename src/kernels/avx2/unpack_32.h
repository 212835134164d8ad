// Unpacks spans of the GGUF types with blocks of 32.
#pragma once

#include "kernels/avx2/bytes.h"
#include "tensor/blocks.h"

namespace flashmoe::avx2 {

// The f16 at byte kAt of eight blocks of kStride bytes, as floats. Integer units collect them while
// the vector units are busy; the empty statement keeps the compiler from giving it to the latter.
template <int kStride, int kAt>
static inline __m256 GatherHalves(const uint8_t* p) {
  uint64_t words[2];
  for (int half = 0; half < 2; ++half) {
    words[half] = 0;
    for (int i = 3; i >= 0; --i) {
      uint16_t bits;
      __builtin_memcpy(&bits, p + (4 * half + i) * kStride + kAt, sizeof(bits));
      words[half] = words[half] << 16 | bits;
      asm("" : "+r"(words[half]));
    }
  }
  return _mm256_cvtph_ps(
      _mm_set_epi64x(static_cast<int64_t>(words[1]), static_cast<int64_t>(words[0])));
}

static inline void UnpackQ8_0(const uint8_t* p, Bytes q[4]) {
  const auto* block = reinterpret_cast<const BlockQ8_0*>(p);
  for (int i = 0; i < 4; ++i) q[i] = {Load32(block[2 * i].qs), Load32(block[2 * i + 1].qs)};
}

// Blocks of kStride bytes with 16 bytes of nibbles at kAt: low nibbles, then high nibbles.
template <int kStride, int kAt>
static inline void UnpackNibbles(const uint8_t* p, Bytes q[4]) {
  const __m256i shift = _mm256_setr_epi64x(0, 0, 4, 4);
  const auto block = [&](int b) {
    const auto* bytes = reinterpret_cast<const __m128i*>(p + b * kStride + kAt);
    const __m256i twice = _mm256_broadcastsi128_si256(_mm_loadu_si128(bytes));
    return _mm256_and_si256(_mm256_srlv_epi64(twice, shift), _mm256_set1_epi8(0x0f));
  };
  for (int i = 0; i < 4; ++i) q[i] = {block(2 * i), block(2 * i + 1)};
}

// Adds 16 where a block's word at kAt has its bit set.
template <int kStride, int kAt>
static inline void AddFifthBits(const uint8_t* p, Bytes q[4]) {
  const auto add = [&](__m256i v, int b) {
    return _mm256_or_si256(
        v, _mm256_and_si256(BytesOfBits(p + b * kStride + kAt), _mm256_set1_epi8(16)));
  };
  for (int i = 0; i < 4; ++i) q[i] = {add(q[i].lo, 2 * i), add(q[i].hi, 2 * i + 1)};
}

static inline __m128i SignedTable(const int8_t values[16]) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(values));
}
// q becomes table[q].
static inline void LookUp(__m128i table, Bytes q[4]) {
  const __m256i both = _mm256_broadcastsi128_si256(table);
  for (int i = 0; i < 4; ++i) {
    q[i] = {_mm256_shuffle_epi8(both, q[i].lo), _mm256_shuffle_epi8(both, q[i].hi)};
  }
}
static inline Ints LookUp(__m128i table, Ints q) {
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), q);
}

}  // namespace flashmoe::avx2
