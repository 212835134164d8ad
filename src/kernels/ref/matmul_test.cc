#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "tensor/half.h"

namespace flashmoe {
namespace {

using ::testing::Each;

std::vector<float> Random(int64_t n, unsigned seed, float spread = 1.0f) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal(0.0f, spread);
  std::vector<float> x(static_cast<size_t>(n));
  for (float& value : x) value = normal(rng);
  return x;
}

// A weight matrix of random bits whose rows have a gap between them and an odd address.
class Weights {
 public:
  Weights(DType type, int64_t rows, int64_t cols, unsigned seed) {
    m_.type = type;
    m_.rows = rows;
    m_.cols = cols;
    m_.row_bytes = RowBytes(type, cols) + 3;
    data_.resize(static_cast<size_t>(rows * m_.row_bytes + 1));
    m_.data = data_.data() + 1;
    if (MlxBits(type) != 0) FillMlx(seed);
    if (type == DType::kF32 || type == DType::kF64 || type == DType::kF16 || type == DType::kBF16) {
      FillPlain(seed);
    } else {
      FillBlocks(seed);
    }
  }

  const Matrix& matrix() const { return m_; }

 private:
  void FillPlain(unsigned seed) {
    const std::vector<float> x = Random(m_.rows * m_.cols, seed);
    for (int64_t i = 0; i < m_.rows * m_.cols; ++i) {
      const float value = x[static_cast<size_t>(i)];
      std::byte* row = data_.data() + 1 + i / m_.cols * m_.row_bytes;
      const int64_t c = i % m_.cols;
      if (m_.type == DType::kF64) {
        const double wide = static_cast<double>(value);
        std::memcpy(row + 8 * c, &wide, 8);
      } else if (m_.type == DType::kF32) {
        std::memcpy(row + 4 * c, &value, 4);
      } else {
        const uint16_t half = m_.type == DType::kF16 ? F32ToF16(value) : F32ToBf16(value);
        std::memcpy(row + 2 * c, &half, 2);
      }
    }
  }

  // Random bits, thrown again where they make a scale infinite or NaN.
  void FillBlocks(unsigned seed) {
    std::mt19937 rng(seed);
    std::vector<float> w(static_cast<size_t>(m_.cols));
    for (int64_t row = 0; row < m_.rows; ++row) {
      std::byte* bytes = data_.data() + 1 + row * m_.row_bytes;
      do {
        for (int64_t i = 0; i < m_.row_bytes; ++i) bytes[i] = static_cast<std::byte>(rng());
        ScalarKernels().dequantize_row(m_, row, w.data());
      } while (!std::all_of(w.begin(), w.end(), [](float x) { return std::fabs(x) < 1e35f; }));
    }
  }

  void FillMlx(unsigned seed) {
    m_.group = 32;
    m_.scale_type = DType::kF32;
    scales_ = Random(m_.rows * m_.cols / m_.group, seed + 1, 0.1f);
    biases_ = Random(m_.rows * m_.cols / m_.group, seed + 2);
    m_.scales = reinterpret_cast<const std::byte*>(scales_.data());
    m_.biases = reinterpret_cast<const std::byte*>(biases_.data());
  }

  Matrix m_;
  std::vector<std::byte> data_;
  std::vector<float> scales_, biases_;
};

struct MatmulCase {
  DType type;
  int64_t cols;
};

class MatmulTest : public ::testing::TestWithParam<MatmulCase> {};

TEST_P(MatmulTest, AgreesWithDoublePrecision) {
  const auto [type, cols] = GetParam();
  const int64_t rows = 5, tokens = 3, y_stride = rows + 2;
  const Weights weights(type, rows, cols, 1);
  const std::vector<float> x = Random(tokens * cols, 2);
  const Activations activations{.n = tokens, .cols = cols, .f32 = x.data()};
  std::vector<float> y(static_cast<size_t>(tokens * y_stride), -7.0f);
  std::vector<float> w(static_cast<size_t>(cols));
  ScalarKernels().matmul(weights.matrix(), 1, 4, activations, y.data(), y_stride);

  for (int64_t r = 0; r < y_stride; ++r) {
    if (r < rows) ScalarKernels().dequantize_row(weights.matrix(), r, w.data());
    for (int64_t t = 0; t < tokens; ++t) {
      const float got = y[static_cast<size_t>(t * y_stride + r)];
      if (r < 1 || r >= 4) {
        ASSERT_EQ(got, -7.0f) << "wrote outside of the rows asked for";
        continue;
      }
      double want = 0.0, magnitude = 0.0;
      for (size_t c = 0; c < w.size(); ++c) {
        const double product = static_cast<double>(w[c]) * x[static_cast<size_t>(t * cols) + c];
        want += product;
        magnitude += std::fabs(product);
      }
      ASSERT_NEAR(got, want, 1e-6 * magnitude);
    }
  }
}

TEST_P(MatmulTest, DoesNotDependOnBatchOrSplit) {
  const auto [type, cols] = GetParam();
  const int64_t rows = 4, tokens = 5;
  const Weights weights(type, rows, cols, 3);
  const std::vector<float> x = Random(tokens * cols, 4);
  std::vector<float> whole(static_cast<size_t>(tokens * rows)), single = whole;
  const Activations all{.n = tokens, .cols = cols, .f32 = x.data()};
  ScalarKernels().matmul(weights.matrix(), 0, rows, all, whole.data(), rows);
  for (int64_t t = 0; t < tokens; ++t) {
    const Activations one{.n = 1, .cols = cols, .f32 = x.data() + t * cols};
    for (int64_t r = 0; r < rows; ++r) {
      ScalarKernels().matmul(weights.matrix(), r, r + 1, one, single.data() + t * rows, rows);
    }
  }
  EXPECT_EQ(std::memcmp(whole.data(), single.data(), whole.size() * sizeof(float)), 0);
}

std::vector<MatmulCase> AllTypes() {
  std::vector<MatmulCase> cases;
  for (int t = 0; t < kDTypeCount; ++t) {
    const DType type = static_cast<DType>(t);
    cases.push_back({type, 256 * 3});
    if (GetInfo(type).block_elements <= 32) cases.push_back({type, 288});
  }
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16}) {
    for (const int64_t cols : {1, 48, 96, 192, 255, 2049}) cases.push_back({type, cols});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(AllTypes, MatmulTest, ::testing::ValuesIn(AllTypes()),
                         [](const auto& instance) {
                           return std::string(GetInfo(instance.param.type).name) + "_" +
                                  std::to_string(instance.param.cols);
                         });

// --- quantize_q8 ---

struct Quantized {
  explicit Quantized(const std::vector<float>& x, int64_t n = 1)
      : q(x.size(), 99), scales(x.size() / 32, -1.0f), sums(x.size() / 16, -1) {
    ScalarKernels().quantize_q8(x.data(), n, static_cast<int64_t>(x.size()) / n, q.data(),
                                scales.data(), sums.data());
  }
  std::vector<int8_t> q;
  std::vector<float> scales;
  std::vector<int16_t> sums;
};

TEST(QuantizeQ8Test, RoundsToTheNearestStep) {
  const std::vector<float> x = Random(4 * 96, 9);
  const Quantized got(x, 4);
  for (size_t block = 0; block < x.size() / 32; ++block) {
    float largest = 0.0f;
    int sums[2] = {0, 0};
    for (size_t i = 32 * block; i < 32 * block + 32; ++i) {
      largest = std::max(largest, std::fabs(x[i]));
      sums[i / 16 % 2] += got.q[i];
      ASSERT_NEAR(got.q[i] * got.scales[block], x[i], 0.5001f * got.scales[block]);
    }
    EXPECT_EQ(got.scales[block], largest / 127.0f);
    EXPECT_EQ(got.sums[2 * block], sums[0]);
    EXPECT_EQ(got.sums[2 * block + 1], sums[1]);
  }
}

TEST(QuantizeQ8Test, TiesGoToEven) {
  std::vector<float> x(32, 0.0f);
  x[0] = -127.0f;  // scale 1
  x[1] = 0.5f;
  x[2] = 1.5f;
  x[3] = -2.5f;
  const Quantized got(x);
  EXPECT_THAT(std::vector<int>(got.q.begin(), got.q.begin() + 5),
              ::testing::ElementsAre(-127, 0, 2, -2, 0));
  EXPECT_EQ(got.sums[0], -127);
}

TEST(QuantizeQ8Test, ZerosAndTinyValuesBecomeZeros) {
  for (const float value : {0.0f, -1e-45f, 1e-40f, 1e-37f}) {
    const Quantized got(std::vector<float>(32, value));
    EXPECT_THAT(got.q, Each(0)) << value;
    EXPECT_EQ(got.scales[0], 0.0f);
    EXPECT_THAT(got.sums, Each(0));
  }
}

TEST(QuantizeQ8Test, LargestValuesFit) {
  const Quantized got(std::vector<float>(32, -std::numeric_limits<float>::max()));
  EXPECT_THAT(got.q, Each(-127));
}

TEST(QuantizeQ8Test, NonNumbersPoisonTheirBlockOnly) {
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    std::vector<float> x(64, 1.0f);
    x[3] = bad;
    const Quantized got(x);
    EXPECT_TRUE(std::isnan(got.scales[0]));
    EXPECT_EQ(got.sums[0], 0);
    EXPECT_EQ(got.sums[1], 0);
    EXPECT_EQ(got.q[40], 127);
    EXPECT_EQ(got.scales[1], 1.0f / 127.0f);
  }
}

}  // namespace
}  // namespace flashmoe
