// Looks up the rows of grids (ref/iq_grids.h) and applies signs: bit i of `signs` is element i's.
#pragma once

#include "kernels/avx2/bytes.h"

namespace flashmoe::avx2 {

// 64 + v becomes 64 - v where the sign is set: 127 minus a number of seven bits is its complement.
static inline __m256i ApplySigns(__m256i v, const uint8_t signs[4]) {
  const __m256i minus = BytesOfBits(signs);
  const __m256i complement = _mm256_xor_si256(v, _mm256_and_si256(minus, _mm256_set1_epi8(127)));
  return _mm256_sub_epi8(complement, minus);
}

template <typename Index>
static inline void UnpackRowsOf8(const uint64_t* rows, const Index index[32],
                                 const uint8_t signs[32], Bytes q[4]) {
  const auto block = [&](int b) {
    const auto row = [&](int j) { return static_cast<int64_t>(rows[index[4 * b + j]]); };
    return ApplySigns(_mm256_setr_epi64x(row(0), row(1), row(2), row(3)), signs + 4 * b);
  };
  for (int i = 0; i < 4; ++i) q[i] = {block(2 * i), block(2 * i + 1)};
}

template <typename Index>
static inline void UnpackRowsOf4(const uint32_t* rows, const Index index[64],
                                 const uint8_t signs[32], Bytes q[4]) {
  const auto block = [&](int b) {
    const auto row = [&](int j) { return static_cast<int32_t>(rows[index[8 * b + j]]); };
    return ApplySigns(
        _mm256_setr_epi32(row(0), row(1), row(2), row(3), row(4), row(5), row(6), row(7)),
        signs + 4 * b);
  };
  for (int i = 0; i < 4; ++i) q[i] = {block(2 * i), block(2 * i + 1)};
}

}  // namespace flashmoe::avx2
