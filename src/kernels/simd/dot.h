// The dot product of a row of floats (F32, F16 or BF16) with float vectors. Four accumulators take
// vectors in turn; the last, incomplete vector is filled up with zeros. The order depends on the
// length alone.
#pragma once

#include <cstdint>

namespace flashmoe::FM_ISA {

constexpr int kAccumulators = 4;

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

// y[t] = w . (x + t * cols)[0..n) for kTokens tokens.
template <class Weight, int kTokens>
static inline void FloatRow(const uint8_t* w, const float* x, int64_t n, int64_t cols, float* y,
                            int64_t y_stride) {
  Vec acc[kTokens][kAccumulators];
  for (auto& token : acc) {
    for (Vec& a : token) a = Zero();
  }
  int64_t c = 0;
  for (; c + kAccumulators * kLanes <= n; c += kAccumulators * kLanes) {
    for (int i = 0; i < kAccumulators; ++i) {
      const int64_t at = c + i * kLanes;
      const Vec weight = Weight::At(w + at * Weight::kBytes);
      for (int t = 0; t < kTokens; ++t) {
        acc[t][i] = Fma(weight, Load(x + t * cols + at), acc[t][i]);
      }
    }
  }
  for (; c + kLanes <= n; c += kLanes) {
    const Vec weight = Weight::At(w + c * Weight::kBytes);
    for (int t = 0; t < kTokens; ++t) acc[t][0] = Fma(weight, Load(x + t * cols + c), acc[t][0]);
  }
  if (c < n) {
    uint8_t rest[kLanes * Weight::kBytes] = {};
    __builtin_memcpy(rest, w + c * Weight::kBytes, static_cast<size_t>(n - c) * Weight::kBytes);
    const Vec weight = Weight::At(rest);
    for (int t = 0; t < kTokens; ++t) {
      acc[t][1] = Fma(weight, LoadPart(x + t * cols + c, n - c), acc[t][1]);
    }
  }
  for (int t = 0; t < kTokens; ++t) {
    y[t * y_stride] = Sum((acc[t][0] + acc[t][1]) + (acc[t][2] + acc[t][3]));
  }
}

static inline float Dot(const float* a, const float* b, int64_t n) {
  float sum;
  FloatRow<WeightF32, 1>(reinterpret_cast<const uint8_t*>(a), b, n, 0, &sum, 0);
  return sum;
}

}  // namespace flashmoe::FM_ISA
