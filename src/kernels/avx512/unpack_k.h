// Unpacks spans of the GGUF types with blocks of 256. Two sub-blocks of 32 share a register.
#pragma once

#include "kernels/avx512/bytes.h"

namespace flashmoe::FM_ISA {

// Shifts each half by its own count.
static inline __m512i Shifts(int16_t low_half, int16_t high_half) {
  return _mm512_inserti64x4(_mm512_set1_epi16(low_half), _mm256_set1_epi16(high_half), 1);
}
// (a & ~mask) | (b & mask)
static inline __m512i Blend(__m512i a, __m512i b, __m512i mask) {
  return _mm512_ternarylogic_epi32(a, b, mask, 0xd8);
}

static inline void UnpackQ2_K(const uint8_t* qs, Bytes q[4]) {
  const __m512i two = _mm512_set1_epi8(0x03);
  for (int half = 0; half < 2; ++half) {
    const __m512i v = Load32Twice(qs + 32 * half);
    q[2 * half] = {_mm512_and_si512(_mm512_srlv_epi16(v, Shifts(0, 2)), two)};
    q[2 * half + 1] = {_mm512_and_si512(_mm512_srlv_epi16(v, Shifts(4, 6)), two)};
  }
}

static inline void UnpackQ3_K(const uint8_t* qs, const uint8_t* hmask, Bytes q[4]) {
  UnpackQ2_K(qs, q);
  const __m512i third = _mm512_set1_epi8(0x04);
  const __m512i h = Load32Twice(hmask);  // bit b belongs to block b
  const __m512i bits[4] = {_mm512_sllv_epi16(h, Shifts(2, 1)), _mm512_srlv_epi16(h, Shifts(0, 1)),
                           _mm512_srlv_epi16(h, Shifts(2, 3)), _mm512_srlv_epi16(h, Shifts(4, 5))};
  for (int i = 0; i < 4; ++i) q[i].v = Blend(q[i].v, bits[i], third);
}

static inline void UnpackQ4_K(const uint8_t* qs, Bytes q[4]) {
  const __m512i shift = Shifts(0, 4);
  const __m512i low = _mm512_set1_epi8(0x0f);
  for (int i = 0; i < 4; ++i) {
    q[i] = {_mm512_and_si512(_mm512_srlv_epi16(Load32Twice(qs + 32 * i), shift), low)};
  }
}

static inline void UnpackQ5_K(const uint8_t* qs, const uint8_t* qh, Bytes q[4]) {
  UnpackQ4_K(qs, q);
  const __m512i fifth = _mm512_set1_epi8(0x10);
  const __m512i h = Load32Twice(qh);  // bit b belongs to block b
  const __m512i bits[4] = {_mm512_sllv_epi16(h, Shifts(4, 3)), _mm512_sllv_epi16(h, Shifts(2, 1)),
                           _mm512_srlv_epi16(h, Shifts(0, 1)), _mm512_srlv_epi16(h, Shifts(2, 3))};
  for (int i = 0; i < 4; ++i) q[i].v = Blend(q[i].v, bits[i], fifth);
}

static inline void UnpackQ6_K(const uint8_t* ql, const uint8_t* qh, Bytes q[4]) {
  const __m512i low = _mm512_set1_epi8(0x0f), high = _mm512_set1_epi8(0x30);
  for (int half = 0; half < 2; ++half) {
    const __m512i v = Load64(ql + 64 * half);
    const __m512i h = Load32Twice(qh + 32 * half);
    q[2 * half] = {Blend(_mm512_and_si512(v, low), _mm512_sllv_epi16(h, Shifts(4, 2)), high)};
    q[2 * half + 1] = {Blend(_mm512_and_si512(_mm512_srli_epi16(v, 4), low),
                             _mm512_srlv_epi16(h, Shifts(0, 2)), high)};
  }
}

}  // namespace flashmoe::FM_ISA
