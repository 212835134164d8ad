// Looks up the rows of grids (ref/iq_grids.h) and applies signs: bit i of `signs` is element i's.
#pragma once

#include "kernels/avx512/bytes.h"

namespace flashmoe::FM_ISA {

// 64 + v becomes 64 - v where the sign is set.
static inline Bytes ApplySigns(__m512i v, const uint8_t signs[8]) {
  uint64_t mask;
  __builtin_memcpy(&mask, signs, sizeof(mask));
  return {_mm512_mask_sub_epi8(v, mask, _mm512_set1_epi8(static_cast<char>(128)), v)};
}

template <typename Index>
static inline void UnpackRowsOf8(const uint64_t* rows, const Index index[32],
                                 const uint8_t signs[32], Bytes q[4]) {
  for (int i = 0; i < 4; ++i) {
    const auto row = [&](int j) { return static_cast<int64_t>(rows[index[8 * i + j]]); };
    const __m512i v =
        _mm512_setr_epi64(row(0), row(1), row(2), row(3), row(4), row(5), row(6), row(7));
    q[i] = ApplySigns(v, signs + 8 * i);
  }
}

template <typename Index>
static inline void UnpackRowsOf4(const uint32_t* rows, const Index index[64],
                                 const uint8_t signs[32], Bytes q[4]) {
  for (int i = 0; i < 4; ++i) {
    const auto four = [&](int j) {
      const auto row = [&](int k) { return static_cast<int32_t>(rows[index[16 * i + 4 * j + k]]); };
      return _mm_setr_epi32(row(0), row(1), row(2), row(3));
    };
    __m512i v = _mm512_inserti32x4(_mm512_castsi128_si512(four(0)), four(1), 1);
    v = _mm512_inserti32x4(_mm512_inserti32x4(v, four(2), 2), four(3), 3);
    q[i] = ApplySigns(v, signs + 8 * i);
  }
}

}  // namespace flashmoe::FM_ISA
