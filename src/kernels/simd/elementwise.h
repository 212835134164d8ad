// Norms, gates and other loops over vectors of any length.
#pragma once

#include "kernels/kernels.h"
#include "kernels/simd/dot.h"

namespace flashmoe::FM_ISA {

// Where a loop over floats stands: at a whole vector, or at the last few elements.
struct WholeAt {
  int64_t i;
  Vec Get(const float* p) const { return Load(p + i); }
  void Put(float* p, Vec a) const { Store(p + i, a); }
};
struct RestAt {
  int64_t i;
  int64_t n;
  Vec Get(const float* p) const { return LoadPart(p + i, n); }
  void Put(float* p, Vec a) const { StorePart(p + i, a, n); }
};
template <class Body>
static inline void ForVectors(int64_t n, Body body) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) body(WholeAt{i});
  if (i < n) body(RestAt{i, n - i});
}

static inline float SquareRoot(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }
static inline Vec Sigmoid(Vec x) { return Set(1.0f) / (Set(1.0f) + Exp(Zero() - x)); }
static inline Vec Silu(Vec x) { return x / (Set(1.0f) + Exp(Zero() - x)); }

static inline void RmsNorm(const float* x, const float* weight, float eps, int64_t n, float* y) {
  const Vec factor = Set(1.0f / SquareRoot(Dot(x, x, n) / static_cast<float>(n) + eps));
  ForVectors(n, [&](auto at) { at.Put(y, at.Get(x) * factor * at.Get(weight)); });
}

static inline void L2Norm(const float* x, float eps, float scale, int64_t n, float* y) {
  const Vec factor = Set(scale / SquareRoot(Dot(x, x, n) + eps));
  ForVectors(n, [&](auto at) { at.Put(y, at.Get(x) * factor); });
}

static inline void SiluMul(const float* gate, const float* up, int64_t n, float* y) {
  ForVectors(n, [&](auto at) { at.Put(y, Silu(at.Get(gate)) * at.Get(up)); });
}

static inline void SigmoidMul(const float* gate, int64_t n, float* x) {
  ForVectors(n, [&](auto at) { at.Put(x, at.Get(x) * Sigmoid(at.Get(gate))); });
}

static inline void SiluScale(const float* gate, int64_t n, float* x) {
  ForVectors(n, [&](auto at) { at.Put(x, at.Get(x) * Silu(at.Get(gate))); });
}

static inline void Axpy(float a, const float* x, int64_t n, float* y) {
  const Vec factor = Set(a);
  ForVectors(n, [&](auto at) { at.Put(y, Fma(factor, at.Get(x), at.Get(y))); });
}

static inline void AxpyBf16(float a, const float* x, int64_t n, uint32_t chance, uint16_t* y) {
  const Vec factor = Set(a);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes, chance += kLanes * kChanceStep) {
    StoreBF16(y + i, Fma(factor, Load(x + i), LoadBF16(y + i)), chance);
  }
  if (i == n) return;
  uint16_t rest[kLanes] = {};
  const size_t bytes = static_cast<size_t>(n - i) * sizeof(uint16_t);
  __builtin_memcpy(rest, y + i, bytes);
  StoreBF16(rest, Fma(factor, LoadPart(x + i, n - i), LoadBF16(rest)), chance);
  __builtin_memcpy(y + i, rest, bytes);
}

static inline float MaxOf(const float* x, int64_t n) {
  float largest = x[0];
  int64_t i = 0;
  if (n >= kLanes) {
    Vec m = Load(x);
    for (i = kLanes; i + kLanes <= n; i += kLanes) m = Max(m, Load(x + i));
    largest = MaxLane(m);
  }
  for (; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

static inline void Softmax(float* x, int64_t n) {
  const Vec largest = Set(MaxOf(x, n));
  Vec sum = Zero();
  ForVectors(n, [&](auto at) {
    at.Put(x, Exp(at.Get(x) - largest));
    sum = sum + at.Get(x);
  });
  const Vec factor = Set(1.0f / Sum(sum));
  ForVectors(n, [&](auto at) { at.Put(x, at.Get(x) * factor); });
}

static inline void Conv4Silu(const float* weight, const float* const window[4], int64_t channels,
                             float* u) {
  int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) {
    Vec taps[4];  // quad j: the taps of channel 4 g + j; transposed: tap j of every channel
    for (int j = 0; j < 4; ++j) taps[j] = LoadQuads(weight + 4 * (c + j), 16 * sizeof(float));
    TransposeQuads(taps);
    Vec sum = taps[0] * Load(window[0] + c);
    for (int j = 1; j < 4; ++j) sum = Fma(taps[j], Load(window[j] + c), sum);
    Store(u + c, Silu(sum));
  }
  for (; c < channels; ++c) {
    Vec sum = Zero();
    for (int j = 0; j < 4; ++j) {
      sum = Fma(Set(weight[4 * c + j]), Set(window[j][c]), sum);
    }
    StorePart(u + c, Silu(sum), 1);
  }
}

static inline void Rope(float* x, const float* cosines, const float* sines, int64_t half) {
  ForVectors(half, [&](auto at) {
    const Vec a = at.Get(x), b = at.Get(x + half);
    const Vec c = at.Get(cosines), s = at.Get(sines);
    at.Put(x, a * c - b * s);
    at.Put(x + half, a * s + b * c);
  });
}

}  // namespace flashmoe::FM_ISA
