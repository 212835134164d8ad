// The dot product of a row of floats (F32, F16 or BF16) with float vectors. kFloatSums accumulators
// take vectors in turn, the first one those left over, filled up with zeros: an order that depends
// on the length alone.
#pragma once

#include <cstdint>

namespace flashmoe::FM_ISA {

struct WeightF32 {
  static constexpr int kBytes = 4;
  static inline Vec At(const uint8_t* p) { return Load(reinterpret_cast<const float*>(p)); }
};
struct WeightF16 {
  static constexpr int kBytes = 2;
  static inline Vec At(const uint8_t* p) { return LoadF16(p); }
};
struct WeightBF16 {
  static constexpr int kBytes = 2;
  static inline Vec At(const uint8_t* p) { return LoadBF16(p); }
};

// y[t * y_stride + r] = row r at `w` . row t at `x`, over n elements. kAhead: the bytes by which
// lines are asked for before their turn; 0 for rows that lie in a cache.
template <class Weight, int kRows, int kTokens, int kAhead = 0>
static inline void DotRows(const uint8_t* w, int64_t row_bytes, const float* x, int64_t x_stride,
                           int64_t n, float* y, int64_t y_stride) {
  Vec acc[kRows][kTokens][kFloatSums];
  for (auto& row : acc) {
    for (auto& token : row) {
      for (Vec& a : token) a = Zero();
    }
  }
  const auto weight = [&](int r, int64_t c) {
    return Weight::At(w + r * row_bytes + c * Weight::kBytes);
  };
  int64_t c = 0;
  for (; c + kFloatSums * kLanes <= n; c += kFloatSums * kLanes) {
    if constexpr (kAhead > 0) {
      static_assert(kRows == 1);
      constexpr int kStep = kFloatSums * kLanes * Weight::kBytes;
      const char* ahead = reinterpret_cast<const char*>(reinterpret_cast<uintptr_t>(w) + kAhead);
      for (int line = 0; line < kStep; line += 64) {
        _mm_prefetch(ahead + c * Weight::kBytes + line, _MM_HINT_T0);
      }
    }
    for (int i = 0; i < kFloatSums; ++i) {
      Vec input[kTokens];
      for (int t = 0; t < kTokens; ++t) input[t] = Load(x + t * x_stride + c + i * kLanes);
      for (int r = 0; r < kRows; ++r) {
        const Vec factor = weight(r, c + i * kLanes);
        for (int t = 0; t < kTokens; ++t) acc[r][t][i] = Fma(factor, input[t], acc[r][t][i]);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int64_t at = c; at < n; at += kLanes) {
      const int64_t rest = n - at < kLanes ? n - at : kLanes;
      uint8_t bytes[kLanes * Weight::kBytes] = {};
      __builtin_memcpy(bytes, w + r * row_bytes + at * Weight::kBytes,
                       static_cast<size_t>(rest) * Weight::kBytes);
      const Vec factor = Weight::At(bytes);
      for (int t = 0; t < kTokens; ++t) {
        const float* in = x + t * x_stride + at;
        const Vec input = rest < kLanes ? LoadPart(in, rest) : Load(in);
        acc[r][t][0] = Fma(factor, input, acc[r][t][0]);
      }
    }
    for (int t = 0; t < kTokens; ++t) {
      Vec sum = acc[r][t][0];
      for (int i = 1; i < kFloatSums; ++i) sum = sum + acc[r][t][i];
      y[t * y_stride + r] = Sum(sum);
    }
  }
}

static inline float Dot(const float* a, const float* b, int64_t n) {
  float sum;
  DotRows<WeightF32, 1, 1>(reinterpret_cast<const uint8_t*>(a), 0, b, 0, n, &sum, 0);
  return sum;
}

}  // namespace flashmoe::FM_ISA
