#include "model/geometry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "model/gguf_tensors.h"

namespace flashmoe {
namespace {

TEST(GeometryTest, ParameterCountsAreThePublishedOnes) {
  const std::pair<const char*, double> published[] = {
      {"qwen3.5-397b-a17b", 397e9}, {"qwen3.5-122b-a10b", 122e9}, {"qwen3.5-35b-a3b", 35e9},
      {"qwen3-next-80b-a3b", 80e9}, {"qwen3-30b-a3b", 30.5e9},
  };
  for (const auto& [name, parameters] : published) {
    const auto config = GeometryByName(name);
    ASSERT_TRUE(config.has_value()) << name;
    EXPECT_NEAR(static_cast<double>(CountParameters(*config)), parameters, 0.01 * parameters)
        << name;
  }
  EXPECT_EQ(GeometryNames().size(), std::size(published));
  // Matrices, and norms and the like.
  EXPECT_EQ(CountParameters(*GeometryByName("qwen3.5-397b-a17b")), 396'345'835'520 + 514'816);
}

TEST(GeometryTest, HasAsManyTensorsAsRealFiles) {
  const std::pair<const char*, size_t> known[] = {
      {"qwen3.5-35b-a3b", 733}, {"qwen3.5-122b-a10b", 879}, {"qwen3.5-397b-a17b", 1098}};
  for (const auto& [name, count] : known) {
    const auto tensors = ListGgufTensors(*GeometryByName(name));
    EXPECT_EQ(tensors.size(), count) << name;
    const auto is_small = [](const TensorSpec& t) { return t.role == TensorRole::kSmall; };
    const auto small = std::count_if(tensors.begin(), tensors.end(), is_small);
    // As floats: all but 6 of the 19 tensors of a delta net layer are matrices; and so on.
    EXPECT_EQ(small, name == std::string_view("qwen3.5-35b-a3b")     ? 301
                     : name == std::string_view("qwen3.5-122b-a10b") ? 361
                                                                     : 451)
        << name;
  }
}

TEST(GeometryTest, AnUnknownNameIsAnErrorThatListsTheKnownOnes) {
  const auto config = GeometryByName("qwen9");
  ASSERT_FALSE(config.has_value());
  EXPECT_THAT(config.error().ToString(), testing::HasSubstr("qwen3.5-397b-a17b"));
}

TEST(GeometryTest, FewerLayersKeepTheirKinds) {
  const ModelConfig config = WithLayers(*GeometryByName("qwen3.5-35b-a3b"), 5);
  EXPECT_EQ(config.layers, 5);
  EXPECT_EQ(config.CountLayers(LayerKind::kAttention), 1);
  EXPECT_EQ(config.layer_kinds[3], LayerKind::kAttention);
}

}  // namespace
}  // namespace flashmoe
