#include "format/safetensors_loader.h"

#include <gmock/gmock.h>

#include "format/gguf_writer.h"
#include "format/safetensors_writer.h"
#include "format/test_support.h"

namespace flashmoe {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::string ErrorFor(const std::string& path) { return ErrorOf(ModelFile::Open(path)); }

// A file with one F32 tensor for each name.
std::string Shard(const std::vector<std::string>& names) {
  SafetensorsWriter writer;
  for (const auto& name : names) writer.AddTensor(name, "F32", {2}, Ramp(8));
  return writer.ToString();
}

class SafetensorsFolder : public testing::Test {
 protected:
  void SetUp() override { folder_.Write("config.json", R"({"model_type": "qwen3_5_moe"})"); }
  Result<std::unique_ptr<ModelFile>> Open() { return ModelFile::Open(folder_.path()); }

  TestFolder folder_;
};

TEST_F(SafetensorsFolder, TextsBesideTheWeights) {
  folder_.Write("model.safetensors", Shard({"a", "b"}));
  folder_.Write("tokenizer.json", "T");
  folder_.Write("tokenizer_config.json", R"({"chat_template": "unused"})");
  folder_.Write("generation_config.json", "G");
  folder_.Write("chat_template.jinja", "{{ messages }}");
  for (const std::string& path : {folder_.path(), folder_.File("model.safetensors")}) {
    const auto model = ModelFile::Open(path);
    ASSERT_TRUE(model.has_value()) << ErrorOf(model);
    EXPECT_EQ((*model)->container(), Container::kSafetensors);
    EXPECT_EQ((*model)->metadata()["model_type"], "qwen3_5_moe");
    EXPECT_EQ((*model)->tokenizer_json(), "T");
    EXPECT_EQ((*model)->generation_config_json(), "G");
    EXPECT_EQ((*model)->tokenizer_config_json(), R"({"chat_template": "unused"})");
    EXPECT_EQ((*model)->chat_template(), "{{ messages }}");
    ASSERT_EQ((*model)->tensors().size(), 2u);
    EXPECT_EQ((*model)->Find("b")->file->path(), folder_.File("model.safetensors"));
  }
}

TEST_F(SafetensorsFolder, ConfigIsRequired) {
  folder_.Write("model.safetensors", Shard({"a"}));
  folder_.Write("config.json", "{");
  EXPECT_THAT(ErrorFor(folder_.path()),
              AllOf(HasSubstr("malformed JSON"), HasSubstr("config.json")));
  folder_.Write("config.json", std::string(20 << 20, ' '));
  EXPECT_THAT(ErrorFor(folder_.path()), HasSubstr("too large"));
  std::filesystem::remove(folder_.File("config.json"));
  EXPECT_THAT(ErrorFor(folder_.path()), HasSubstr("config.json is missing"));
  EXPECT_THAT(ErrorFor(folder_.File("model.safetensors")), HasSubstr("config.json is missing"));
}

TEST_F(SafetensorsFolder, WeightsAreRequired) {
  EXPECT_THAT(ErrorFor(folder_.path()), HasSubstr("no .safetensors file"));
}

TEST_F(SafetensorsFolder, IndexNamesTheShards) {
  folder_.Write("one.safetensors", Shard({"a"}));
  folder_.Write("two.safetensors", Shard({"b"}));
  folder_.Write("other.safetensors", Shard({"a"}));
  folder_.Write("model.safetensors.index.json",
                R"({"metadata": {"total_size": 16, "x": [1, {"weight_map": {"c": "../c"}}]},
                    "weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})");
  for (const std::string& path : {folder_.path(), folder_.File("two.safetensors")}) {
    const auto model = ModelFile::Open(path);
    ASSERT_TRUE(model.has_value()) << ErrorOf(model);
    EXPECT_EQ((*model)->files().size(), 2u);
    EXPECT_NE((*model)->Find("a"), nullptr);
  }
  // Not of the set: stands alone.
  const auto other = ModelFile::Open(folder_.File("other.safetensors"));
  ASSERT_TRUE(other.has_value()) << ErrorOf(other);
  EXPECT_EQ((*other)->files().size(), 1u);

  std::filesystem::remove(folder_.File("two.safetensors"));
  EXPECT_THAT(ErrorFor(folder_.path()),
              AllOf(HasSubstr("\"two.safetensors\" is missing"), HasSubstr("index.json")));
}

TEST_F(SafetensorsFolder, HostileIndex) {
  folder_.Write("model.safetensors", Shard({"a"}));
  const auto error = [&](std::string_view index) {
    folder_.Write("model.safetensors.index.json", index);
    return ErrorFor(folder_.path());
  };
  for (const char* name : {"../x.safetensors", "/etc/passwd", "a/b.safetensors", "..", ".", "",
                           "a\\\\b", "a\\u0000b"}) {
    EXPECT_THAT(error(fmt::format(R"({{"weight_map": {{"a": "{}"}}}})", name)),
                HasSubstr("not in its own folder"))
        << name;
  }
  EXPECT_THAT(error(R"({"weight_map": {"a": 1}})"), HasSubstr("not the name of a file"));
  EXPECT_THAT(error(R"({"weight_map": {"a": {"b": "c"}}})"), HasSubstr("not the name of a file"));
  EXPECT_THAT(error(R"({"weight_map": {"a": ["c"]}})"), HasSubstr("not the name of a file"));
  EXPECT_THAT(error(R"({"weight_map": {}})"), HasSubstr("names no file"));
  EXPECT_THAT(error(R"({"weight_map": 17})"), HasSubstr("no weight_map"));
  EXPECT_THAT(error("{}"), HasSubstr("no weight_map"));
  EXPECT_THAT(error("[1]"), HasSubstr("no weight_map"));
  EXPECT_THAT(error("1"), HasSubstr("not a JSON object"));
  EXPECT_THAT(error("{\"x\":" + std::string(100'000, '[')), HasSubstr("nested more than"));
}

TEST_F(SafetensorsFolder, ShardsWithoutAnIndex) {
  folder_.Write("model-00001-of-00002.safetensors", Shard({"a"}));
  EXPECT_THAT(ErrorFor(folder_.path()),
              HasSubstr("\"model-00002-of-00002.safetensors\" is missing"));
  EXPECT_THAT(ErrorFor(folder_.File("model-00001-of-00002.safetensors")), HasSubstr("is missing"));
  folder_.Write("model-00002-of-00002.safetensors", Shard({"b"}));
  folder_.Write("mtp.safetensors", Shard({"m"}));
  const auto model = Open();
  ASSERT_TRUE(model.has_value()) << ErrorOf(model);
  EXPECT_EQ((*model)->files().size(), 3u);
  folder_.Write("mtp.safetensors", Shard({"b"}));
  EXPECT_THAT(ErrorFor(folder_.path()),
              AllOf(HasSubstr("tensor \"b\" is in"), HasSubstr("mtp.safetensors")));
}

TEST_F(SafetensorsFolder, ForeignShards) {
  folder_.Write("model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
  EXPECT_THAT(ErrorFor(folder_.path()), HasSubstr("Git LFS pointer"));
  folder_.Write("model.safetensors", "GGUF");
  EXPECT_THAT(ErrorFor(folder_.path()), HasSubstr("not a safetensors file"));
}

TEST_F(SafetensorsFolder, GgufBesideSafetensorsIsAmbiguous) {
  folder_.Write("model.safetensors", Shard({"a"}));
  folder_.Write("m.gguf", GgufWriter().ToString().value());
  EXPECT_THAT(ErrorFor(folder_.path()),
              HasSubstr("several models: \"m.gguf\", \"model.safetensors\""));
  EXPECT_EQ(ErrorFor(folder_.File("m.gguf")), "");
  std::filesystem::remove(folder_.File("model.safetensors"));
  EXPECT_EQ(ErrorFor(folder_.path()), "");  // config.json alone makes no second model
}

TEST_F(SafetensorsFolder, LikeMlx) {
  SafetensorsWriter writer;
  const std::string prefix = "language_model.model.layers.0.mlp.switch_mlp.gate_proj.";
  writer.AddTensor(prefix + "weight", "U32", {2, 4, 8}, Ramp(256));
  writer.AddTensor(prefix + "scales", "BF16", {2, 4, 1}, Ramp(16));
  writer.AddTensor(prefix + "biases", "BF16", {2, 4, 1}, Ramp(16));
  folder_.Write("model.safetensors", writer.ToString());
  folder_.Write("config.json", R"({"quantization": {"group_size": 64, "bits": 4}})");
  const auto model = Open();
  ASSERT_TRUE(model.has_value()) << ErrorOf(model);
  EXPECT_EQ((*model)->metadata()["quantization"]["bits"], 4);
  const TensorInfo* weight = (*model)->Find(prefix + "weight");
  ASSERT_NE(weight, nullptr);
  EXPECT_EQ(weight->type, DType::kI32);
  EXPECT_THAT(weight->shape, ElementsAre(2, 4, 8));
  EXPECT_EQ(weight->elements(), 64);
  EXPECT_EQ(weight->bytes, 256u);
}

TEST_F(SafetensorsFolder, TypesThatAreSkipped) {
  SafetensorsWriter writer;
  writer.AddTensor("w", "F8_E4M3", {4}, Ramp(4));
  folder_.Write("model.safetensors", writer.ToString());
  const auto model = Open();
  ASSERT_TRUE(model.has_value()) << ErrorOf(model);
  EXPECT_EQ((*model)->Find("w"), nullptr);
  ASSERT_EQ((*model)->skipped().size(), 1u);
  EXPECT_EQ((*model)->skipped()[0].name, "w");
}

TEST_F(SafetensorsFolder, TemplatesFromElsewhere) {
  folder_.Write("model.safetensors", Shard({"a"}));
  folder_.Write("tokenizer_config.json", R"({"chat_template": "from config"})");
  EXPECT_EQ(Open().value()->chat_template(), "from config");
  folder_.Write("tokenizer_config.json",
                R"({"chat_template": [{"name": "tool_use", "template": "no"},
                                      {"name": "default", "template": "yes"}]})");
  EXPECT_EQ(Open().value()->chat_template(), "yes");
  folder_.Write("chat_template.json", R"({"chat_template": "from its own file"})");
  EXPECT_EQ(Open().value()->chat_template(), "from its own file");
  folder_.Write("chat_template.jinja", "jinja");
  EXPECT_EQ(Open().value()->chat_template(), "jinja");
}

TEST(ChatTemplate, OddShapesAreNone) {
  for (const char* text : {"{}", R"({"chat_template": 1})", R"({"chat_template": []})",
                           R"({"chat_template": [1, {}, {"name": "default", "template": 1}]})",
                           R"({"chat_template": null})"}) {
    EXPECT_EQ(ParseChatTemplate(text, "f").value_or("?"), "") << text;
  }
  EXPECT_FALSE(ParseChatTemplate("[", "f").has_value());
}

}  // namespace
}  // namespace flashmoe
