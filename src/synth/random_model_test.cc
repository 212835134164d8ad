#include "synth/random_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "format/model_file.h"
#include "model/geometry.h"
#include "model/weight_map.h"

namespace flashmoe {
namespace {

namespace fs = std::filesystem;

// Small enough to write in a moment.
ModelConfig Tiny(const char* family) {
  ModelConfig c = WithLayers(*GeometryByName(family), 4);
  c.hidden = 256;
  c.vocab_rows = 600;
  c.experts = 4;
  c.experts_per_token = 2;
  c.expert_width = 256;
  if (c.shared_expert_width > 0) c.shared_expert_width = 256;
  return c;
}

class RandomModelTest : public testing::Test {
 protected:
  RandomModelTest() {
    std::string pattern = testing::TempDir() + "/flashmoe_synth_XXXXXX";
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  ~RandomModelTest() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  std::string Path(const char* name) const { return folder_ + "/" + name; }
  std::string Contents(const char* name) const {
    std::ifstream file(Path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string folder_;
};

TEST_F(RandomModelTest, IsReadBackAsTheGeometryItHas) {
  for (const char* family : {"qwen3.5-35b-a3b", "qwen3-next-80b-a3b", "qwen3-30b-a3b"}) {
    SCOPED_TRACE(family);
    const ModelConfig wanted = Tiny(family);
    const auto bytes = WriteRandomModel(wanted, {}, Path("m.gguf"));
    ASSERT_TRUE(bytes.has_value()) << bytes.error().ToString();
    EXPECT_EQ(fs::file_size(Path("m.gguf")), *bytes);
    const auto file = ModelFile::Open(Path("m.gguf"));
    ASSERT_TRUE(file.has_value()) << file.error().ToString();
    auto config = ReadConfig(**file);
    ASSERT_TRUE(config.has_value()) << config.error().ToString();
    EXPECT_EQ(config->layer_kinds, wanted.layer_kinds);
    EXPECT_EQ(config->rotary_dims, wanted.rotary_dims);
    EXPECT_EQ(config->rope_theta, wanted.rope_theta);
    EXPECT_EQ(config->value_heads_tiled, wanted.value_heads_tiled);
    EXPECT_EQ(config->output_gate, wanted.output_gate);
    EXPECT_EQ(config->shared_expert_width, wanted.shared_expert_width);
    EXPECT_EQ(config->context_max, wanted.context_max);
    const auto map = MapWeights(**file, *config);
    ASSERT_TRUE(map.has_value()) << map.error().ToString();
    EXPECT_EQ(config->vocab_rows, wanted.vocab_rows);
  }
}

TEST_F(RandomModelTest, BytesHangOnTheSeedAndNotOnThreads) {
  const ModelConfig config = Tiny("qwen3.5-35b-a3b");
  ASSERT_TRUE(WriteRandomModel(config, {}, Path("a")).has_value());
  ASSERT_TRUE(WriteRandomModel(config, {.threads = 3}, Path("b")).has_value());
  ASSERT_TRUE(WriteRandomModel(config, {.seed = 2}, Path("c")).has_value());
  EXPECT_TRUE(Contents("a") == Contents("b"));
  EXPECT_FALSE(Contents("a") == Contents("c"));
}

TEST_F(RandomModelTest, LeavesNothingWhenItFails) {
  const ModelConfig config = Tiny("qwen3.5-35b-a3b");
  CancelFlag cancel;
  cancel.Set();
  const auto cancelled = WriteRandomModel(config, {}, Path("a"), {}, &cancel);
  ASSERT_FALSE(cancelled.has_value());
  EXPECT_EQ(cancelled.error().code, ErrorCode::kCancelled);
  ModelConfig odd = config;
  odd.expert_width = 224;
  EXPECT_FALSE(WriteRandomModel(odd, {.types = {.experts = DType::kQ4_K}}, Path("a")).has_value());
  EXPECT_FALSE(WriteRandomModel(config, {.types = {.dense = DType::kI8}}, Path("a")).has_value());
  EXPECT_FALSE(WriteRandomModel(config, {.types = {.dense = DType::kMlx4}}, Path("a")).has_value());
  EXPECT_TRUE(fs::is_empty(folder_));
}

}  // namespace
}  // namespace flashmoe
