#include "synth/weightless_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "base/test_path.h"
#include "model/geometry.h"
#include "model/weight_map.h"
#include "synth/random_model.h"

namespace flashmoe {
namespace {

TEST(WeightlessModelTest, HasThePlacesOfTheWrittenModel) {
  ModelConfig config = WithLayers(*GeometryByName("qwen3.5-35b-a3b"), 4);
  config.experts = 16;
  config.vocab_rows = 2048;
  RandomModelOptions options;
  options.types = {DType::kQ4_0, DType::kIQ4_NL};
  const std::string path = TestPath("weightless.gguf");
  ASSERT_TRUE(WriteRandomModel(config, options, path).has_value());
  const auto written = ModelFile::Open(path);
  const auto weightless = OpenWithoutWeights(config, options.types);
  std::remove(path.c_str());
  ASSERT_TRUE(written.has_value());
  ASSERT_TRUE(weightless.has_value()) << weightless.error().ToString();
  EXPECT_EQ((*weightless)->total_bytes(), (*written)->total_bytes());
  EXPECT_EQ((*weightless)->metadata(), (*written)->metadata());
  ASSERT_EQ((*weightless)->tensors().size(), (*written)->tensors().size());
  for (size_t i = 0; i < (*written)->tensors().size(); ++i) {
    const TensorInfo &a = (*weightless)->tensors()[i], &b = (*written)->tensors()[i];
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.offset, b.offset);
    EXPECT_EQ(a.bytes, b.bytes);
    EXPECT_EQ(a.type, b.type);
  }
}

TEST(WeightlessModelTest, TheLargestGeometryTakesNoRoom) {
  auto config = GeometryByName("qwen3.5-397b-a17b");
  ASSERT_TRUE(config.has_value());
  const auto file = OpenWithoutWeights(*config, {DType::kQ8_0, DType::kQ4_K});
  ASSERT_TRUE(file.has_value()) << file.error().ToString();
  EXPECT_GT((*file)->total_bytes(), 200'000'000'000u);
  const auto map = MapWeights(**file, *config);
  ASSERT_TRUE(map.has_value()) << map.error().ToString();
  EXPECT_EQ(map->experts.routed_layers(), 60);
}

TEST(WeightlessModelTest, TypesThatDoNotFitAreRefused) {
  auto config = GeometryByName("qwen3.5-35b-a3b");
  ASSERT_TRUE(config.has_value());
  config->expert_width = 96;
  const auto file = OpenWithoutWeights(*config, {DType::kQ8_0, DType::kQ4_K});
  ASSERT_FALSE(file.has_value());
  EXPECT_THAT(file.error().ToString(), ::testing::HasSubstr("Q4_K"));
}

}  // namespace
}  // namespace flashmoe
