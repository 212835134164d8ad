#include "format/tensor_layout.h"

#include <gmock/gmock.h>

#include "format/test_support.h"

namespace flashmoe {
namespace {

using testing::HasSubstr;

TEST(TensorLayout, CountsBytes) {
  const auto bytes = [](DType type, std::vector<int64_t> shape) {
    return TensorBytes("t", type, shape, "f").value_or(0);
  };
  EXPECT_EQ(bytes(DType::kF32, {3}), 12u);
  EXPECT_EQ(bytes(DType::kBF16, {2, 3, 4}), 48u);
  EXPECT_EQ(bytes(DType::kQ4_K, {10, 2, 512}), 10u * 2 * 2 * 144);
}

TEST(TensorLayout, RefusesAbsurdShapes) {
  const auto error = [](DType type, std::vector<int64_t> shape) {
    return ErrorOf(TensorBytes("t", type, shape, "f"));
  };
  EXPECT_THAT(error(DType::kF32, {}), HasSubstr("no dimensions"));
  EXPECT_THAT(error(DType::kF32, {2, 0}), HasSubstr("not positive"));
  EXPECT_THAT(error(DType::kF32, {-1, -4}), HasSubstr("not positive"));
  EXPECT_THAT(error(DType::kF32, {int64_t{1} << 32, int64_t{1} << 32}),
              HasSubstr("absurdly large"));
  EXPECT_THAT(error(DType::kF32, {int64_t{1} << 62}), HasSubstr("absurdly large"));
  EXPECT_THAT(error(DType::kI8, {INT64_MAX, 2}), HasSubstr("absurdly large"));
  EXPECT_THAT(error(DType::kQ4_K, {2, 300}), HasSubstr("blocks of 256"));
  EXPECT_THAT(error(DType::kQ4_K, {2, 300}), HasSubstr("[2, 300]"));
}

TEST(TensorLayout, ChecksExtents) {
  const auto error = [](std::vector<TensorExtent> extents) {
    return ErrorOf(CheckExtents(extents, 100, 1000, "f"));
  };
  EXPECT_EQ(error({}), "");
  EXPECT_EQ(error({{"b", 200, 800}, {"a", 100, 100}}), "");
  EXPECT_THAT(error({{"a", 99, 1}}), HasSubstr("outside"));
  EXPECT_THAT(error({{"a", UINT64_MAX, 2}}), HasSubstr("outside"));
  EXPECT_THAT(error({{"a", 900, 101}}),
              HasSubstr("truncated: tensor \"a\" ends at byte 1001 but the file has 1000 bytes"));
  EXPECT_THAT(error({{"b", 199, 1}, {"a", 100, 100}}), HasSubstr("\"a\" and \"b\" overlap"));
  EXPECT_THAT(error({{"a", 100, 900}, {"b", 200, 1}, {"c", 300, 1}}), HasSubstr("overlap"));
}

}  // namespace
}  // namespace flashmoe
