// Elementwise functions, norms and sums over one vector.
#include <algorithm>
#include <cmath>

#include "kernels/ref/scalar.h"
#include "tensor/half.h"

namespace flashmoe::ref {
namespace {

constexpr int kLanes = 8;
constexpr int64_t kRun = 256;

// Eight partial sums, added as a tree.
float DotOfRun(const float* a, const float* b, int64_t n) {
  float s[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) s[lane] += a[i + lane] * b[i + lane];
  }
  for (int lane = 0; i < n; ++i, ++lane) s[lane] += a[i] * b[i];
  return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

double SumOfSquares(const float* x, int64_t n) {
  double sum = 0.0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return sum;
}

// Both are right at the ends: e^-x overflows to infinity, which divides to zero.
float Sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }
float Silu(float x) { return x / (1.0f + std::exp(-x)); }

}  // namespace

float Dot(const float* a, const float* b, int64_t n) {
  float sum = 0.0f;
  for (int64_t i = 0; i < n; i += kRun) sum += DotOfRun(a + i, b + i, std::min(kRun, n - i));
  return sum;
}

void Axpy(float a, const float* x, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] += a * x[i];
}

void AxpyBf16(float a, const float* x, int64_t n, uint32_t chance, uint16_t* y) {
  for (int64_t i = 0; i < n; ++i, chance += kChanceStep) {
    const float exact = Bf16ToF32(y[i]) + a * x[i];
    y[i] = static_cast<uint16_t>((BitsFromFloat(exact) + (chance >> 16)) >> 16);
  }
}

void RmsNorm(const float* x, const float* weight, float eps, int64_t n, float* y) {
  const double mean = SumOfSquares(x, n) / static_cast<double>(n);
  const float factor = static_cast<float>(1.0 / std::sqrt(mean + static_cast<double>(eps)));
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * factor * weight[i];
}

void L2Norm(const float* x, float eps, float scale, int64_t n, float* y) {
  const double sum = SumOfSquares(x, n);
  const float factor =
      static_cast<float>(static_cast<double>(scale) / std::sqrt(sum + static_cast<double>(eps)));
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * factor;
}

void SiluMul(const float* gate, const float* up, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = Silu(gate[i]) * up[i];
}

void SigmoidMul(const float* gate, int64_t n, float* x) {
  for (int64_t i = 0; i < n; ++i) x[i] *= Sigmoid(gate[i]);
}

void SiluScale(const float* gate, int64_t n, float* x) {
  for (int64_t i = 0; i < n; ++i) x[i] *= Silu(gate[i]);
}

void Softmax(float* x, int64_t n) {
  if (n <= 0) return;
  const float largest = *std::max_element(x, x + n);
  double sum = 0.0;
  for (int64_t i = 0; i < n; ++i) {
    x[i] = std::exp(x[i] - largest);
    sum += static_cast<double>(x[i]);
  }
  const float factor = static_cast<float>(1.0 / sum);
  for (int64_t i = 0; i < n; ++i) x[i] *= factor;
}

void Conv4Silu(const float* weight, const float* const window[4], int64_t channels, float* u) {
  for (int64_t c = 0; c < channels; ++c) {
    const float* w = weight + 4 * c;
    float sum = 0.0f;
    for (int tap = 0; tap < 4; ++tap) sum += w[tap] * window[tap][c];
    u[c] = Silu(sum);
  }
}

}  // namespace flashmoe::ref
