// Unpacks spans of the GGUF types with blocks of 32.
#pragma once

#include "kernels/avx512/bytes.h"
#include "tensor/blocks.h"

namespace flashmoe::FM_ISA {

// The f16 at byte kAt of eight blocks of kStride bytes, as floats. A permutation takes as many from
// a load as are there; none reads beyond the last block.
template <int kStride, int kAt>
static inline __m256 GatherHalves(const uint8_t* p) {
  constexpr int kBlocks = 8, kLast = kBlocks * kStride - 64;
  constexpr int kEach = (62 - kAt) / kStride + 1;
  const auto start = [](int block) { return block * kStride < kLast ? block * kStride : kLast; };
  struct alignas(64) Places {
    uint16_t word[32];
  };
  static constexpr Places kPlaces = [start] {
    Places places = {};
    for (int b = 0; b < kBlocks; ++b) {
      places.word[b] = static_cast<uint16_t>((b * kStride + kAt - start(b / kEach * kEach)) / 2);
    }
    return places;
  }();
  const __m512i places = _mm512_load_si512(&kPlaces);
  __m512i words = _mm512_permutexvar_epi16(places, _mm512_loadu_si512(p));
  for (int b = kEach; b < kBlocks; b += kEach) {
    words =
        _mm512_mask_permutexvar_epi16(words, ~0u << b, places, _mm512_loadu_si512(p + start(b)));
  }
  return _mm256_cvtph_ps(_mm512_castsi512_si128(words));
}

static inline void UnpackQ8_0(const uint8_t* p, Bytes q[4]) {
  const auto* block = reinterpret_cast<const BlockQ8_0*>(p);
  const __m512i top = _mm512_set1_epi8(static_cast<char>(0x80));
  for (int i = 0; i < 4; ++i) {
    const __m512i first = _mm512_castsi256_si512(Load32(block[2 * i].qs));
    q[i] = {_mm512_xor_si512(_mm512_inserti64x4(first, Load32(block[2 * i + 1].qs), 1), top)};
  }
}

// Blocks of kStride bytes with 16 bytes of nibbles at kAt: each in a half, twice; then low nibbles
// stay and high nibbles move down.
template <int kStride, int kAt>
static inline void UnpackNibbles(const uint8_t* p, Bytes q[4]) {
  const __m512i shift = _mm512_setr_epi64(0, 0, 4, 4, 0, 0, 4, 4);
  const __m512i low = _mm512_set1_epi8(0x0f);
  for (int i = 0; i < 4; ++i) {
    const uint8_t* first = p + 2 * i * kStride + kAt;
    const auto load = [](const uint8_t* from) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    };
    const __m512i v = _mm512_mask_broadcast_i32x4(_mm512_broadcast_i32x4(load(first)), 0xff00,
                                                  load(first + kStride));
    q[i] = {_mm512_and_si512(_mm512_srlv_epi64(v, shift), low)};
  }
}

// Adds 16 where a block's word at kAt has its bit set.
template <int kStride, int kAt>
static inline void AddFifthBits(const uint8_t* p, Bytes q[4]) {
  for (int i = 0; i < 4; ++i) {
    uint32_t bits[2];
    __builtin_memcpy(&bits[0], p + 2 * i * kStride + kAt, sizeof(bits[0]));
    __builtin_memcpy(&bits[1], p + (2 * i + 1) * kStride + kAt, sizeof(bits[1]));
    const __mmask64 mask = _mm512_kunpackd(bits[1], bits[0]);
    q[i].v = _mm512_mask_add_epi8(q[i].v, mask, q[i].v, _mm512_set1_epi8(16));
  }
}

static inline __m128i SignedTable(const int8_t values[16]) {
  const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(values));
  return _mm_xor_si128(v, _mm_set1_epi8(static_cast<char>(0x80)));
}
// q becomes table[q].
static inline void LookUp(__m128i table, Bytes q[4]) {
  for (int i = 0; i < 4; ++i) {
    q[i].v = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), q[i].v);
  }
}
static inline Ints LookUp(__m128i table, Ints q) {
  return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), q);
}

}  // namespace flashmoe::FM_ISA
