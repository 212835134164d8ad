// MLX: integers, scales and biases in three places.
#pragma once

#include "kernels/simd/formats.h"

namespace flashmoe::FM_ISA {

// The value of each block's group, from the kSpan / group values at p.
static inline __m256 GroupValues(const uint8_t* p, int group, DType type) {
  const int count = kSpan / group;
  __m256 values;
  if (type == DType::kF32) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lanes);
    values = _mm256_maskload_ps(reinterpret_cast<const float*>(p), mask);
  } else {
    uint64_t words[2] = {0, 0};
    if (count == 8) {
      __builtin_memcpy(words, p, 16);
    } else if (count == 4) {
      __builtin_memcpy(words, p, 8);
    } else {
      __builtin_memcpy(words, p, 4);
    }
    const __m128i halves =
        _mm_set_epi64x(static_cast<int64_t>(words[1]), static_cast<int64_t>(words[0]));
    values = type == DType::kF16
                 ? _mm256_cvtph_ps(halves)
                 : _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
  }
  // Lane b takes value 32 b / group.
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m128i shift = _mm_cvtsi32_si128(group == 32 ? 0 : group == 64 ? 1 : 2);
  return _mm256_permutevar8x32_ps(values, _mm256_srl_epi32(lanes, shift));
}

template <int kBits>
struct FormatMlx : Plain {
  static constexpr int kMax = (1 << kBits) - 1;
  static constexpr bool kBias = true;
  static constexpr int kOffset = kBits == 8 ? kUnsignedOffset : 0;

  // Three streams of different speeds are more than the hardware keeps up with.
  static void Prefetch(const Row& row) {
    constexpr uintptr_t kSpanBytes = kSpan * kBits / 8;
    for (uintptr_t line = 0; line < kSpanBytes; line += 64) {
      PrefetchAhead(row.data, kPrefetchDistance + line);
    }
    PrefetchAhead(row.scales, kPrefetchDistance / 8);
    PrefetchAhead(row.biases, kPrefetchDistance / 8);
  }
  static int64_t ScaleBytes(const Row& row, int64_t elements) {
    return elements / row.group * (row.scale_type == DType::kF32 ? 4 : 2);
  }
  static Row At(const Row& row, int64_t span) {
    const int64_t scale_bytes = ScaleBytes(row, span * kSpan);
    return {row.data + span * (kSpan * kBits / 8), row.scales + scale_bytes,
            row.biases + scale_bytes, row.group, row.scale_type};
  }
  static Row Tail(const Row& row, int64_t blocks, TailBytes* tail) {
    const auto scale_bytes = static_cast<size_t>(ScaleBytes(row, blocks * 32));
    __builtin_memcpy(tail->data, row.data, static_cast<size_t>(blocks * 32 * kBits / 8));
    __builtin_memcpy(tail->scales, row.scales, scale_bytes);
    __builtin_memcpy(tail->biases, row.biases, scale_bytes);
    return {tail->data, tail->scales, tail->biases, row.group, row.scale_type};
  }
  static inline void Unpack(const Row& row, Span* span) {
    if constexpr (kBits == 2) UnpackMlx2(row.data, span->q);
    if constexpr (kBits == 4) UnpackMlx4(row.data, span->q);
    if constexpr (kBits == 6) UnpackMlx6(row.data, span->q);
    if constexpr (kBits == 8) {
      for (int i = 0; i < 4; ++i) span->q[i] = LoadUnsigned(row.data + 64 * i);
    }
    span->scale = GroupValues(row.scales, row.group, row.scale_type);
    span->bias = GroupValues(row.biases, row.group, row.scale_type);
  }
};

}  // namespace flashmoe::FM_ISA
