#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/kernels.h"

namespace flashmoe {
namespace {

using ::testing::ElementsAre;

constexpr float kInf = std::numeric_limits<float>::infinity();

std::vector<float> Random(int64_t n, unsigned seed, float spread = 1.0f) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal(0.0f, spread);
  std::vector<float> x(static_cast<size_t>(n));
  for (float& value : x) value = normal(rng);
  return x;
}

double Sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

void ExpectClose(const std::vector<float>& got, const std::vector<double>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], want[i], 4e-7 * std::fabs(want[i]) + 1e-30) << i;
  }
}

TEST(VectorTest, NameAndFormats) {
  EXPECT_EQ(ScalarKernels().name, "scalar");
  EXPECT_EQ(ScalarKernels().activation_format(DType::kQ4_K), ActivationFormat::kF32);
}

TEST(VectorTest, RmsNormInPlace) {
  std::vector<float> x = Random(1000, 1, 30.0f);
  const std::vector<float> weight = Random(1000, 2);
  double mean = 0.0;
  for (const float value : x) mean += static_cast<double>(value) * value / 1000.0;
  std::vector<double> want;
  for (size_t i = 0; i < x.size(); ++i) want.push_back(x[i] / std::sqrt(mean + 1e-6) * weight[i]);
  ScalarKernels().rms_norm(x.data(), weight.data(), 1e-6f, 1000, x.data());
  ExpectClose(x, want);
}

TEST(VectorTest, NormsOfZerosAreZeros) {
  std::vector<float> x(16), weight(16, 1.0f);
  ScalarKernels().rms_norm(x.data(), weight.data(), 1e-6f, 16, x.data());
  EXPECT_THAT(x, ::testing::Each(0.0f));
  ScalarKernels().l2_norm(x.data(), 1e-6f, 1.0f, 16, x.data());
  EXPECT_THAT(x, ::testing::Each(0.0f));
}

TEST(VectorTest, L2NormAddsEpsilonUnderTheRootAndScales) {
  const std::vector<float> x = {3.0f, 4.0f};
  std::vector<float> y(2);
  ScalarKernels().l2_norm(x.data(), 11.0f, 12.0f, 2, y.data());
  EXPECT_THAT(y, ElementsAre(6.0f, 8.0f));  // sqrt(25 + 11) = 6
}

TEST(VectorTest, GatesFollowTheirFormulas) {
  const int64_t n = 333;
  const std::vector<float> gate = Random(n, 3, 10.0f), up = Random(n, 4);
  std::vector<float> mul(up.size()), sigmoid = up, silu = up;
  std::vector<double> want_silu, want_sigmoid;
  for (size_t i = 0; i < up.size(); ++i) {
    want_silu.push_back(gate[i] * Sigmoid(gate[i]) * up[i]);
    want_sigmoid.push_back(Sigmoid(gate[i]) * up[i]);
  }
  ScalarKernels().silu_mul(gate.data(), up.data(), n, mul.data());
  ScalarKernels().sigmoid_mul(gate.data(), n, sigmoid.data());
  ScalarKernels().silu_scale(gate.data(), n, silu.data());
  ExpectClose(mul, want_silu);
  ExpectClose(silu, want_silu);
  ExpectClose(sigmoid, want_sigmoid);
}

TEST(VectorTest, GatesAreRightAtTheEnds) {
  const std::vector<float> gate = {-1000.0f, 1000.0f, 0.0f};
  std::vector<float> y = {2.0f, 2.0f, 2.0f};
  ScalarKernels().silu_scale(gate.data(), 3, y.data());
  EXPECT_THAT(y, ElementsAre(0.0f, 2000.0f, 0.0f));
  y = {2.0f, 2.0f, 2.0f};
  ScalarKernels().sigmoid_mul(gate.data(), 3, y.data());
  EXPECT_THAT(y, ElementsAre(0.0f, 2.0f, 1.0f));
}

TEST(VectorTest, AxpyAndDotOfAnyLength) {
  for (const int64_t n : {0, 1, 7, 8, 9, 255, 256, 257, 5000}) {
    const std::vector<float> a = Random(n, 5), b = Random(n, 6);
    double want = 0.0, magnitude = 1e-30;
    for (size_t i = 0; i < a.size(); ++i) {
      want += static_cast<double>(a[i]) * b[i];
      magnitude += std::fabs(static_cast<double>(a[i]) * b[i]);
    }
    EXPECT_NEAR(ScalarKernels().dot(a.data(), b.data(), n), want, 1e-6 * magnitude) << n;
    std::vector<float> y = b;
    ScalarKernels().axpy(-1.5f, a.data(), n, y.data());
    for (size_t i = 0; i < y.size(); ++i) ASSERT_EQ(y[i], b[i] + -1.5f * a[i]);
  }
}

TEST(VectorTest, SoftmaxAgreesWithDoublePrecision) {
  for (const int64_t n : {1, 3, 512, 20000}) {
    std::vector<float> x = Random(n, 7, 5.0f);
    for (float& value : x) value += 500.0f;  // would overflow without subtracting the largest
    double largest = -1e300, sum = 0.0;
    for (const float value : x) largest = std::max(largest, static_cast<double>(value));
    for (const float value : x) sum += std::exp(value - largest);
    std::vector<double> want;
    for (const float value : x) want.push_back(std::exp(value - largest) / sum);
    ScalarKernels().softmax(x.data(), n);
    ExpectClose(x, want);
  }
}

TEST(VectorTest, SoftmaxGivesMaskedEntriesNothing) {
  std::vector<float> x = {1.0f, -kInf, 1.0f};
  ScalarKernels().softmax(x.data(), 3);
  EXPECT_THAT(x, ElementsAre(0.5f, 0.0f, 0.5f));
  ScalarKernels().softmax(x.data(), 0);
  EXPECT_THAT(x, ElementsAre(0.5f, 0.0f, 0.5f));
}

TEST(VectorTest, ConvolutionWeighsTheCurrentTokenLast) {
  const int64_t channels = 5;
  const std::vector<float> weight = Random(4 * channels, 8), columns = Random(4 * channels, 9);
  const float* const window[4] = {columns.data() + 10, columns.data(), columns.data() + 15,
                                  columns.data() + 5};
  std::vector<float> u(channels);
  ScalarKernels().conv4_silu(weight.data(), window, channels, u.data());
  for (size_t c = 0; c < 5; ++c) {
    double sum = 0.0;
    for (size_t tap = 0; tap < 4; ++tap) {
      sum += static_cast<double>(weight[4 * c + tap]) * window[tap][c];
    }
    EXPECT_NEAR(u[c], sum * Sigmoid(sum), 1e-6) << c;
  }
}

}  // namespace
}  // namespace flashmoe
