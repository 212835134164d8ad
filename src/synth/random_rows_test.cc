#include "synth/random_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "kernels/kernels.h"

namespace flashmoe {
namespace {

std::vector<DType> WeightTypes() {
  std::vector<DType> types;
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto type = static_cast<DType>(i);
    const bool number = type == DType::kF64 || (type >= DType::kI8 && type <= DType::kI64);
    if (!number && GetInfo(type).ggml_id >= 0) types.push_back(type);
  }
  return types;
}

class RandomRowsTest : public testing::TestWithParam<DType> {
 protected:
  static constexpr int64_t kCols = 1024, kRows = 32;

  static std::vector<std::byte> Fill(const RandomRows& rows, int64_t first, int64_t count) {
    std::vector<std::byte> bytes(static_cast<size_t>(count * rows.row_bytes()));
    rows.Fill(first, bytes);
    return bytes;
  }

  static std::vector<float> Weights(DType type, const std::vector<std::byte>& bytes) {
    const Matrix m{type, kRows, kCols, bytes.data(), RowBytes(type, kCols)};
    std::vector<float> out(kRows * kCols);
    for (int64_t r = 0; r < kRows; ++r) ScalarKernels().dequantize_row(m, r, &out[r * kCols]);
    return out;
  }
};

TEST_P(RandomRowsTest, WeightsHaveTheSizeAskedForAndNoMean) {
  for (const double size : {0.02, 1.0}) {
    const RandomRows rows(GetParam(), kCols, size, 7);
    double sum = 0, square = 0;
    for (const float w : Weights(GetParam(), Fill(rows, 0, kRows))) {
      ASSERT_TRUE(std::isfinite(w));
      sum += w;
      square += double{w} * w;
    }
    const double n = kRows * kCols;
    EXPECT_NEAR(std::sqrt(square / n), size, 0.05 * size);
    EXPECT_LT(std::abs(sum / n), 0.05 * size);
  }
}

TEST_P(RandomRowsTest, ARowHangsOnSeedAndNumberAlone) {
  const RandomRows rows(GetParam(), kCols, 0.1, 1), other(GetParam(), kCols, 0.1, 2);
  const std::vector<std::byte> all = Fill(rows, 0, 5);
  const auto bytes = static_cast<std::ptrdiff_t>(rows.row_bytes());
  EXPECT_EQ(Fill(rows, 3, 2), std::vector<std::byte>(all.begin() + 3 * bytes, all.end()));
  EXPECT_NE(Fill(rows, 0, 1), Fill(rows, 1, 1));
  EXPECT_NE(Fill(other, 0, 5), all);
}

INSTANTIATE_TEST_SUITE_P(AllTypes, RandomRowsTest, testing::ValuesIn(WeightTypes()),
                         [](const auto& type) { return std::string(GetInfo(type.param).name); });

}  // namespace
}  // namespace flashmoe
