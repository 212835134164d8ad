// The products of every table against the scalar one, on random weights.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>

#include "kernels/testing.h"

namespace flashmoe {
namespace {

using testing::Random;
using testing::RandomActivations;
using testing::RandomMatrix;

struct Case {
  DType type;
  int group = 0;
  DType scale_type = DType::kBF16;
};

// Types of blocks that have a fast product.
const std::vector<DType>& BlockTypes() {
  static const std::vector<DType> types = {
      DType::kQ4_0,    DType::kQ4_1,   DType::kQ5_0,  DType::kQ5_1,    DType::kQ8_0,
      DType::kQ2_K,    DType::kQ3_K,   DType::kQ4_K,  DType::kQ5_K,    DType::kQ6_K,
      DType::kIQ2_XXS, DType::kIQ2_XS, DType::kIQ2_S, DType::kIQ3_XXS, DType::kIQ3_S,
      DType::kIQ4_NL,  DType::kIQ4_XS, DType::kMXFP4};
  return types;
}

std::vector<Case> Cases() {
  std::vector<Case> cases = {{DType::kF32}, {DType::kF16}, {DType::kBF16}, {DType::kIQ1_S}};
  for (const DType type : BlockTypes()) cases.push_back({type});
  for (const DType type : {DType::kMlx2, DType::kMlx4, DType::kMlx6, DType::kMlx8}) {
    for (const int group : {32, 64, 128}) {
      for (const DType scale : {DType::kBF16, DType::kF16, DType::kF32}) {
        cases.push_back({type, group, scale});
      }
    }
  }
  return cases;
}

std::string NameOf(const Case& c) {
  std::string name(GetInfo(c.type).name);
  if (c.group != 0) {
    name += "_group" + std::to_string(c.group) + "_" + std::string(GetInfo(c.scale_type).name);
  }
  return name;
}

// One block, several, and enough for the vector loops and each of their tails.
std::vector<int64_t> ColumnsFor(const Case& c) {
  const int64_t unit = c.group != 0 ? c.group : GetInfo(c.type).block_elements;
  if (unit == 1) return {1, 3, 8, 15, 16, 17, 64, 100, 129, 1027};
  return {unit, 2 * unit, 3 * unit, 7 * unit, 8 * unit, 9 * unit, 17 * unit};
}

class FastMatmul : public ::testing::TestWithParam<Case> {};

// Checks y [n, rows] = w x, but for the rounding of a float32 sum.
void ExpectProduct(const KernelTable& table, const Matrix& w, const RandomActivations& x,
                   const std::vector<float>& y) {
  const int64_t n = x.view().n;
  const std::vector<float> floats = x.Floats(table.activation_format(w.type));
  std::vector<float> row(static_cast<size_t>(w.cols));
  for (int64_t r = 0; r < w.rows; ++r) {
    ScalarKernels().dequantize_row(w, r, row.data());
    for (int64_t t = 0; t < n; ++t) {
      double sum = 0.0, magnitude = 0.0;
      for (int64_t c = 0; c < w.cols; ++c) {
        const double product = static_cast<double>(row[static_cast<size_t>(c)]) *
                               static_cast<double>(floats[static_cast<size_t>(t * w.cols + c)]);
        sum += product;
        magnitude += std::fabs(product);
      }
      ASSERT_NEAR(y[static_cast<size_t>(t * w.rows + r)], sum, 1e-5 * magnitude + 1e-30)
          << table.name << " row " << r << " token " << t << " cols " << w.cols;
    }
  }
}

TEST_P(FastMatmul, MatchesTheDefinition) {
  const Case c = GetParam();
  Random random(1);
  int misalignment = 0;
  for (const KernelTable* table : AvailableKernels()) {
    for (const int64_t cols : ColumnsFor(c)) {
      for (const int64_t n : {1, 2, 3, 4, 5, 8, 17, 32}) {
        misalignment = misalignment % 31 + 1;
        const RandomMatrix w(random, c.type, 5, cols, misalignment, c.group, c.scale_type);
        const RandomActivations x(random, *table, n, cols);
        std::vector<float> y(static_cast<size_t>(n * 5), NAN);
        table->matmul(w.view(), 0, 5, x.view(), y.data(), 5);
        ExpectProduct(*table, w.view(), x, y);
      }
    }
  }
}

// The promise on which reproducible output rests.
TEST_P(FastMatmul, DoesNotDependOnRowsTokensOrAddresses) {
  const Case c = GetParam();
  constexpr int64_t kRows = 53, kTokens = 35;  // with two, one and no whole tiles of any table
  for (const KernelTable* table : AvailableKernels()) {
    for (const int64_t cols : ColumnsFor(c)) {
      Random random(2), same(2);
      const RandomMatrix w(random, c.type, kRows, cols, 3, c.group, c.scale_type);
      const RandomActivations x(random, *table, kTokens, cols);
      std::vector<float> whole(kRows * kTokens), parts(kRows * kTokens);
      table->matmul(w.view(), 0, kRows, x.view(), whole.data(), kRows);
      for (int64_t t = 0; t < kTokens; ++t) {
        int64_t begin = 0;
        for (const int64_t end : {int64_t{1}, int64_t{18}, int64_t{20}, kRows}) {
          table->matmul(w.view(), begin, end, x.One(t), parts.data() + t * kRows, kRows);
          begin = end;
        }
      }
      EXPECT_EQ(std::memcmp(whole.data(), parts.data(), whole.size() * sizeof(float)), 0)
          << table->name << " cols " << cols;

      const int64_t stride = kRows + 5;
      std::vector<float> strided(static_cast<size_t>(7 * stride), -1.0f);
      Activations seven = x.view();
      seven.n = 7;
      table->matmul(w.view(), 2, kRows - 1, seven, strided.data(), stride);
      for (int64_t t = 0; t < 7; ++t) {
        const float* out = strided.data() + t * stride;
        EXPECT_EQ(std::memcmp(out + 2, whole.data() + t * kRows + 2, (kRows - 3) * 4), 0);
        EXPECT_EQ(out[1], -1.0f);
        EXPECT_EQ(out[kRows - 1], -1.0f);
      }
    }
  }
}

// Rows that are taken in parts, and more tokens than are taken at a time.
TEST_P(FastMatmul, DoesNotDependOnHowLongRowsAreCut) {
  const Case c = GetParam();
  constexpr int64_t kRows = 48, kTokens = 133;
  const int64_t unit = c.group != 0 ? c.group : GetInfo(c.type).block_elements;
  const int64_t cols = (16 * 256 / unit + 3) * unit;
  for (const KernelTable* table : AvailableKernels()) {
    if (table == &ScalarKernels()) continue;
    Random random(3);
    const RandomMatrix w(random, c.type, kRows, cols, 3, c.group, c.scale_type);
    const RandomActivations x(random, *table, kTokens, cols);
    std::vector<float> whole(kRows * kTokens), one(kRows);
    table->matmul(w.view(), 0, kRows, x.view(), whole.data(), kRows);
    for (int64_t t = 0; t < kTokens; ++t) {
      table->matmul(w.view(), 0, kRows, x.One(t), one.data(), kRows);
      ASSERT_EQ(std::memcmp(whole.data() + t * kRows, one.data(), sizeof(float) * kRows), 0)
          << table->name << " token " << t;
    }
  }
}

// One token meets grids in another way than several do, up to some length.
TEST(GridMatmul, OneTokenIsLikeSeveralAtAnyLength) {
  for (const DType type :
       {DType::kIQ2_XXS, DType::kIQ2_XS, DType::kIQ2_S, DType::kIQ3_XXS, DType::kIQ3_S}) {
    for (const int64_t spans : {1, 2, 63, 64, 65}) {
      for (const KernelTable* table : AvailableKernels()) {
        constexpr int64_t kRows = 9, kTokens = 4;
        Random random(4);
        const RandomMatrix w(random, type, kRows, spans * 256, 1);
        const RandomActivations x(random, *table, kTokens, spans * 256);
        std::vector<float> whole(kRows * kTokens), one(kRows);
        table->matmul(w.view(), 0, kRows, x.view(), whole.data(), kRows);
        for (int64_t t = 0; t < kTokens; ++t) {
          table->matmul(w.view(), 0, kRows, x.One(t), one.data(), kRows);
          ASSERT_EQ(std::memcmp(whole.data() + t * kRows, one.data(), sizeof(float) * kRows), 0)
              << table->name << ' ' << GetInfo(type).name << ' ' << spans << " token " << t;
        }
      }
    }
  }
}

// The amx table differs from avx512 in speed alone.
TEST_P(FastMatmul, TilesGiveTheBitsOfAvx512) {
  const auto amx = SelectKernels("amx"), avx512 = SelectKernels("avx512");
  if (!amx.has_value()) GTEST_SKIP() << amx.error().what;
  const Case c = GetParam();
  std::vector<int64_t> columns = ColumnsFor(c);
  columns.push_back(6 * 256 + 2 * columns.front());  // 4, 2 and 1 spans, where blocks are small
  Random random(8);
  for (const int64_t cols : columns) {
    for (const int64_t rows : {15, 16, 33}) {
      const RandomMatrix w(random, c.type, rows, cols, 1, c.group, c.scale_type);
      for (const int64_t n : {7, 8, 31, 131}) {
        const RandomActivations x(random, **avx512, n, cols);
        std::vector<float> expected(static_cast<size_t>(n * rows), NAN), y = expected;
        (*avx512)->matmul(w.view(), 0, rows, x.view(), expected.data(), rows);
        (*amx)->matmul(w.view(), 0, rows, x.view(), y.data(), rows);
        ASSERT_EQ(std::memcmp(y.data(), expected.data(), y.size() * sizeof(float)), 0)
            << rows << " x " << cols << ", " << n << " tokens";
      }
    }
  }
}

// Tokens that pick one element each: what a product makes of a weight is what it decodes to.
TEST_P(FastMatmul, DecodesEveryElement) {
  const Case c = GetParam();
  const int64_t cols = std::lcm(ColumnsFor(c).front(), int64_t{256});
  Random random(7);
  const RandomMatrix w(random, c.type, 16, cols, 1, c.group, c.scale_type);
  std::vector<float> x(static_cast<size_t>(cols * cols), 0.0f), row(static_cast<size_t>(cols));
  for (int64_t t = 0; t < cols; ++t) x[static_cast<size_t>(t * cols + t)] = 127.0f;
  std::vector<int8_t> q8(x.size());
  std::vector<float> scales(x.size() / 32), y(static_cast<size_t>(16 * cols));
  std::vector<int16_t> sums(x.size() / 16);
  for (const KernelTable* table : AvailableKernels()) {
    table->quantize_q8(x.data(), cols, cols, q8.data(), scales.data(), sums.data());
    const Activations input = {cols, cols, x.data(), q8.data(), scales.data(), sums.data()};
    table->matmul(w.view(), 0, 16, input, y.data(), 16);
    for (int64_t r = 0; r < 16; ++r) {
      ScalarKernels().dequantize_row(w.view(), r, row.data());
      float largest = 0.0f;
      for (const float value : row) largest = std::max(largest, std::fabs(value));
      for (int64_t t = 0; t < cols; ++t) {
        ASSERT_NEAR(y[static_cast<size_t>(t * 16 + r)] / 127.0f, row[static_cast<size_t>(t)],
                    1e-6f * largest)
            << table->name << " row " << r << " element " << t;
      }
    }
  }
}

TEST_P(FastMatmul, DequantisesLikeTheScalarTable) {
  const Case c = GetParam();
  Random random(3);
  const int64_t cols = ColumnsFor(c).back();
  const RandomMatrix w(random, c.type, 3, cols, 5, c.group, c.scale_type);
  for (const KernelTable* table : AvailableKernels()) {
    std::vector<float> fast(static_cast<size_t>(cols)), scalar = fast;
    table->dequantize_row(w.view(), 2, fast.data());
    ScalarKernels().dequantize_row(w.view(), 2, scalar.data());
    EXPECT_EQ(fast, scalar);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, FastMatmul, ::testing::ValuesIn(Cases()),
                         [](const auto& param) { return NameOf(param.param); });

TEST(FastMatmulEdges, NanScalesGiveNanAndZeroScalesGiveZero) {
  Random random(4);
  for (const DType type : BlockTypes()) {
    if (type == DType::kMXFP4) continue;  // its scales have neither
    RandomMatrix w(random, type, 3, 512);
    for (const KernelTable* table : AvailableKernels()) {
      const RandomActivations x(random, *table, 5, 512);
      std::vector<float> y(15);
      w.SetScales(0x7e00);  // NaN
      table->matmul(w.view(), 0, 3, x.view(), y.data(), 3);
      for (const float value : y) EXPECT_TRUE(std::isnan(value)) << table->name;
      w.SetScales(0);
      table->matmul(w.view(), 0, 3, x.view(), y.data(), 3);
      for (const float value : y) EXPECT_EQ(value, 0.0f) << table->name;
    }
  }
}

// Rows that hold one byte throughout, but for scales of one.
struct UniformMatrix {
  UniformMatrix(DType type, int fill, int64_t rows, int64_t cols)
      : bytes(static_cast<size_t>(rows * RowBytes(type, cols)), static_cast<std::byte>(fill)),
        ones(static_cast<size_t>(rows * cols / 64), 1.0f),
        view{type, rows, cols, bytes.data(), RowBytes(type, cols)} {
    for (size_t at = 0; at < bytes.size(); at += static_cast<size_t>(GetInfo(type).block_bytes)) {
      const uint16_t one = 0x3c00;
      for (const int offset : testing::ScaleOffsets(type)) {
        std::memcpy(bytes.data() + at + offset, &one, sizeof(one));
      }
      if (type == DType::kMXFP4) bytes[at] = std::byte{127};
    }
    if (MlxBits(type) == 0) return;
    view.scales = view.biases = reinterpret_cast<const std::byte*>(ones.data());
    view.group = 64;
    view.scale_type = DType::kF32;
  }

  std::vector<std::byte> bytes;
  std::vector<float> ones;
  Matrix view;
};

// The largest sums that integers must hold: every weight and activation at its end of the range,
// one token and enough of them for the other way of computing.
void ExpectExtremes(const KernelTable& table, const Matrix& w, float sign) {
  constexpr int64_t kTokens = 16;
  const auto cols = static_cast<size_t>(w.cols);
  std::vector<float> x(kTokens * cols, sign), scales(x.size() / 32), row(cols);
  std::vector<int8_t> q8(x.size());
  std::vector<int16_t> sums(x.size() / 16);
  table.quantize_q8(x.data(), kTokens, w.cols, q8.data(), scales.data(), sums.data());
  ASSERT_EQ(q8[0], sign > 0 ? 127 : -127);
  table.dequantize_row(w, 0, row.data());
  double expected = 0.0, magnitude = 0.0;
  for (const float value : row) {
    expected += static_cast<double>(sign * value);
    magnitude += std::fabs(static_cast<double>(value));
  }
  for (const int64_t n : {int64_t{1}, kTokens}) {
    const Activations input = {n, w.cols, x.data(), q8.data(), scales.data(), sums.data()};
    std::vector<float> y(static_cast<size_t>(n * w.rows), NAN);
    table.matmul(w, 0, w.rows, input, y.data(), w.rows);
    for (const float value : y) ASSERT_NEAR(value, expected, 1e-5 * magnitude) << n << " tokens";
  }
}

TEST(FastMatmulEdges, ExtremesDoNotSaturate) {
  for (const Case& c : Cases()) {
    if (GetInfo(c.type).block_elements == 1) continue;
    for (const int fill : {0x00, 0x7f, 0x80, 0xff}) {
      const UniformMatrix w(c.type, fill, 16, 512);
      for (const KernelTable* table : AvailableKernels()) {
        SCOPED_TRACE(NameOf(c) + " " + std::to_string(fill) + " " + std::string(table->name));
        ExpectExtremes(*table, w.view, 1.0f);
        ExpectExtremes(*table, w.view, -1.0f);
      }
    }
  }
}

TEST(FastQuantize, EqualsTheScalarTableBitForBit) {
  Random random(6);
  const int64_t cols = 32 * 13;
  std::vector<float> x = testing::RandomFloats(random, 3 * cols);
  x[3] = std::numeric_limits<float>::infinity();
  x[40] = NAN;
  for (int i = 64; i < 96; ++i) x[static_cast<size_t>(i)] = 0.0f;
  for (int i = 96; i < 128; ++i) x[static_cast<size_t>(i)] *= 1e-38f;
  for (int i = 128; i < 160; ++i) x[static_cast<size_t>(i)] *= 1e38f;
  for (int i = 160; i < 192; ++i) {  // ties: the scale is one
    x[static_cast<size_t>(i)] = static_cast<float>(i - 170) + 0.5f;
  }
  x[191] = 127.0f;
  const size_t size = x.size();
  std::vector<int8_t> expected_q(size);
  std::vector<float> expected_scales(size / 32);
  std::vector<int16_t> expected_sums(size / 16);
  ScalarKernels().quantize_q8(x.data(), 3, cols, expected_q.data(), expected_scales.data(),
                              expected_sums.data());
  for (const KernelTable* table : AvailableKernels()) {
    std::vector<int8_t> q(size);
    std::vector<float> scales(size / 32);
    std::vector<int16_t> sums(size / 16);
    table->quantize_q8(x.data(), 3, cols, q.data(), scales.data(), sums.data());
    EXPECT_EQ(q, expected_q) << table->name;
    EXPECT_EQ(sums, expected_sums) << table->name;
    for (size_t i = 0; i < scales.size(); ++i) {
      if (std::isnan(expected_scales[i])) {
        EXPECT_TRUE(std::isnan(scales[i])) << table->name;
      } else {
        EXPECT_EQ(scales[i], expected_scales[i]) << table->name;
      }
    }
  }
}

}  // namespace
}  // namespace flashmoe
