#include "tensor/matrix.h"

#include <gtest/gtest.h>

#include <vector>

namespace flashmoe {
namespace {

TEST(SliceRowsTest, MovesTheDataAndKeepsTheRest) {
  std::vector<std::byte> bytes(1000);
  Matrix m;
  m.type = DType::kQ8_0;
  m.rows = 8;
  m.cols = 64;
  m.row_bytes = 72;
  m.data = bytes.data();
  const Matrix slice = SliceRows(m, 3, 2);
  EXPECT_EQ(slice.data, bytes.data() + 3 * 72);
  EXPECT_EQ(slice.rows, 2);
  EXPECT_EQ(slice.cols, 64);
  EXPECT_EQ(slice.row_bytes, 72);
  EXPECT_EQ(slice.scales, nullptr);
  EXPECT_EQ(SliceRows(m, 8, 0).rows, 0);
}

TEST(SliceRowsTest, MovesScalesAndBiases) {
  std::vector<std::byte> bytes(1000), scales(100), biases(100);
  Matrix m;
  m.type = DType::kMlx4;
  m.rows = 4;
  m.cols = 256;
  m.row_bytes = 128;
  m.data = bytes.data();
  m.scales = scales.data();
  m.biases = biases.data();
  m.group = 64;
  m.scale_type = DType::kF16;
  const Matrix slice = SliceRows(m, 2, 1);
  EXPECT_EQ(slice.data, bytes.data() + 256);
  EXPECT_EQ(slice.scales, scales.data() + 2 * 4 * 2);
  EXPECT_EQ(slice.biases, biases.data() + 2 * 4 * 2);
}

TEST(SliceRowsDeathTest, RowsOutsideAreAProgrammersError) {
  Matrix m;
  m.rows = 4;
  EXPECT_DEATH(SliceRows(m, 3, 2), "begin");
  EXPECT_DEATH(SliceRows(m, -1, 2), "begin");
}

}  // namespace
}  // namespace flashmoe
