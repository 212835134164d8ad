#include "tensor/dtype.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "tensor/blocks.h"

namespace flashmoe {
namespace {

TEST(DTypeTest, NamesAndIdsAreUniqueAndRoundTrip) {
  std::set<std::string> names;
  std::set<int32_t> ids;
  for (int t = 0; t < kDTypeCount; ++t) {
    const DType type = static_cast<DType>(t);
    const DTypeInfo& info = GetInfo(type);
    std::string lower(info.name);
    std::transform(lower.begin(), lower.end(), lower.begin(), ::tolower);
    EXPECT_TRUE(names.insert(lower).second) << info.name;
    EXPECT_EQ(DTypeFromName(info.name), type);
    EXPECT_EQ(DTypeFromName(lower), type);
    if (info.ggml_id < 0) continue;
    EXPECT_TRUE(ids.insert(info.ggml_id).second) << info.name;
    EXPECT_EQ(DTypeFromGgml(static_cast<uint32_t>(info.ggml_id)), type);
  }
  EXPECT_EQ(ids.size(), static_cast<size_t>(kDTypeCount - 4));
}

TEST(DTypeTest, UnknownNamesAndIdsAreNothing) {
  EXPECT_EQ(DTypeFromName(""), std::nullopt);
  EXPECT_EQ(DTypeFromName("Q4_"), std::nullopt);
  EXPECT_EQ(DTypeFromName("Q4_KK"), std::nullopt);
  for (const uint32_t id : {4u, 5u, 9u, 15u, 31u, 43u, 0x7fffffffu, 0xffffffffu}) {
    EXPECT_EQ(DTypeFromGgml(id), std::nullopt) << id;
  }
}

TEST(DTypeTest, RowBytesAreBlocksTimesTheirSize) {
  EXPECT_EQ(RowBytes(DType::kF32, 7), 28);
  EXPECT_EQ(RowBytes(DType::kBF16, 7), 14);
  EXPECT_EQ(RowBytes(DType::kQ8_0, 4096), 4352);
  EXPECT_EQ(RowBytes(DType::kQ4_K, 4096), 2304);
  EXPECT_EQ(RowBytes(DType::kQ6_K, 256), 210);
  EXPECT_EQ(RowBytes(DType::kIQ1_S, 512), 100);
  EXPECT_EQ(RowBytes(DType::kMlx6, 64), 48);
  EXPECT_EQ(RowBytes(DType::kQ4_0, 0), 0);
  // One expert matrix of the 397B model.
  EXPECT_EQ(RowBytes(DType::kQ4_K, 4096) * 1024, 2359296);
  EXPECT_EQ(RowBytes(DType::kMXFP4, 4096) * 1024, 2228224);
}

TEST(DTypeTest, TheTableAgreesWithTheBlocks) {
  const auto expect = [](DType type, size_t bytes) {
    EXPECT_EQ(GetInfo(type).block_bytes, static_cast<int32_t>(bytes)) << GetInfo(type).name;
  };
  expect(DType::kQ4_0, sizeof(BlockQ4_0));
  expect(DType::kQ4_1, sizeof(BlockQ4_1));
  expect(DType::kQ5_0, sizeof(BlockQ5_0));
  expect(DType::kQ5_1, sizeof(BlockQ5_1));
  expect(DType::kQ8_0, sizeof(BlockQ8_0));
  expect(DType::kQ2_K, sizeof(BlockQ2_K));
  expect(DType::kQ3_K, sizeof(BlockQ3_K));
  expect(DType::kQ4_K, sizeof(BlockQ4_K));
  expect(DType::kQ5_K, sizeof(BlockQ5_K));
  expect(DType::kQ6_K, sizeof(BlockQ6_K));
  expect(DType::kIQ1_S, sizeof(BlockIQ1_S));
  expect(DType::kIQ1_M, sizeof(BlockIQ1_M));
  expect(DType::kIQ2_XXS, sizeof(BlockIQ2_XXS));
  expect(DType::kIQ2_XS, sizeof(BlockIQ2_XS));
  expect(DType::kIQ2_S, sizeof(BlockIQ2_S));
  expect(DType::kIQ3_XXS, sizeof(BlockIQ3_XXS));
  expect(DType::kIQ3_S, sizeof(BlockIQ3_S));
  expect(DType::kIQ4_NL, sizeof(BlockIQ4_NL));
  expect(DType::kIQ4_XS, sizeof(BlockIQ4_XS));
  expect(DType::kTQ1_0, sizeof(BlockTQ1_0));
  expect(DType::kTQ2_0, sizeof(BlockTQ2_0));
  expect(DType::kMXFP4, sizeof(BlockMXFP4));
  expect(DType::kNVFP4, sizeof(BlockNVFP4));
  expect(DType::kQ1_0, sizeof(BlockQ1_0));
  expect(DType::kQ2_0, sizeof(BlockQ2_0));
}

TEST(DTypeTest, MlxBlocksAre32PackedElements) {
  for (int t = 0; t < kDTypeCount; ++t) {
    const DType type = static_cast<DType>(t);
    const int bits = MlxBits(type);
    EXPECT_EQ(bits != 0, GetInfo(type).name.starts_with("MLX"));
    if (bits == 0) continue;
    EXPECT_EQ(GetInfo(type).block_elements, 32);
    EXPECT_EQ(GetInfo(type).block_bytes, 32 * bits / 8);
  }
}

}  // namespace
}  // namespace flashmoe
