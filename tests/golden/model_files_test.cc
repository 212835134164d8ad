// Models whose tensors are not what the geometry needs, and how routers are held.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "format/test_support.h"
#include "kernels/kernels.h"
#include "model/weights.h"
#include "tests/support/hub_model.h"
#include "tests/support/test_model.h"
#include "tests/support/to_gguf.h"
#include "tests/support/to_mlx.h"

namespace flashmoe {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class ModelFilesTest : public testing::Test {
 protected:
  std::string Write(const HubModel& model) {
    model.Write(files_.File("model"));
    return files_.File("model");
  }
  std::string Refusal(const HubModel& model) {
    const auto engine = TryOpen(Write(model), TestOptions());
    EXPECT_FALSE(engine.has_value());
    return engine.has_value() ? "" : engine.error().ToString();
  }
  HubModel Model() const { return HubModel::Load(TinyModel("tiny-random")); }

  TestFolder files_;
};

TEST_F(ModelFilesTest, MissingTensorsAreNamed) {
  const HubModel whole = Model();
  for (const auto& [name, tensor] : whole.tensors) {
    if (name == "model.embed_tokens.weight" || name.starts_with("model.layers.2") ||
        name.starts_with("model.layers.3")) {
      continue;  // as layers 0 and 1
    }
    HubModel model = whole;
    model.tensors.erase(name);
    const std::string refusal = Refusal(model);
    // Without the fused tensor the separate ones are looked for.
    const std::string looked_for =
        name.ends_with("gate_up_proj") ? "mlp.experts.0.gate_proj.weight" : name;
    EXPECT_THAT(refusal, AllOf(HasSubstr(looked_for), HasSubstr("missing")));
  }
}

TEST_F(ModelFilesTest, WrongShapesAreNamedWithBothShapes) {
  HubModel model = Model();
  model.tensors["model.layers.1.self_attn.k_proj.weight"].shape = {256, 64};
  EXPECT_THAT(Refusal(model), AllOf(HasSubstr("model.layers.1.self_attn.k_proj.weight"),
                                    HasSubstr("[256, 64]"), HasSubstr("[64, 256]")));
  model = Model();
  model.config["num_experts"] = 11;
  EXPECT_THAT(Refusal(model), HasSubstr("mlp.gate.weight"));
  model = Model();
  model.config["vocab_size"] = 1024;
  EXPECT_THAT(Refusal(model), HasSubstr("embed_tokens"));
  model = Model();
  model.config["linear_num_key_heads"] = 3;
  EXPECT_THAT(Refusal(model), HasSubstr("in_proj_qkv"));
}

TEST_F(ModelFilesTest, IntegersWithoutScalesAreRefused) {
  HubModel model = MakeMlx(Model(), {}).mlx;
  model.tensors.erase("language_model.model.layers.0.linear_attn.in_proj_z.scales");
  EXPECT_THAT(Refusal(model), HasSubstr("in_proj_z.weight"));
  model = MakeMlx(Model(), {}).mlx;
  model.tensors.erase("language_model.model.layers.0.mlp.switch_mlp.up_proj.biases");
  EXPECT_THAT(Refusal(model), HasSubstr("switch_mlp.up_proj.biases"));
  for (const char* dtype : {"U32", "I64", "U8", "F64"}) {
    model = Model();
    StoredTensor& z = model.tensors["model.layers.0.linear_attn.in_proj_z.weight"];
    z.dtype = dtype;
    z.bytes.resize(static_cast<size_t>(z.elements()) * (std::string(dtype) == "U8" ? 1
                                                        : dtype[1] == '6'          ? 8
                                                                                   : 4));
    EXPECT_THAT(Refusal(model), HasSubstr("in_proj_z.weight")) << dtype;
  }
}

TEST_F(ModelFilesTest, ExpertsOfALayerMustHaveOneType) {
  HubModel model = SplitExperts(Model());
  StoredTensor& one = model.tensors["model.layers.2.mlp.experts.7.up_proj.weight"];
  one = StoredTensor::FromFloats(one.shape, one.Floats());
  EXPECT_THAT(Refusal(model), HasSubstr("differ in type"));
}

TEST_F(ModelFilesTest, LayersMayDifferInType) {
  HubModel model = SplitExperts(Model());
  for (auto& [name, tensor] : model.tensors) {
    const bool some = name.find("layers.2") != std::string::npos || name.ends_with("z.weight");
    if (some) tensor = StoredTensor::FromFloats(tensor.shape, tensor.Floats());
  }
  const std::vector<int32_t> tokens = SomeTokens(20, 512);
  EXPECT_EQ(
      FirstDifference(AllLogits(Write(model), tokens), AllLogits(TinyModel("tiny-random"), tokens)),
      "");
}

// Rounding the activations of a router could change its choice.
TEST_F(ModelFilesTest, QuantisedRoutersAreHeldAsFloats) {
  const auto file = ModelFile::Open(Write(MakeMlx(Model(), {}).mlx));
  ASSERT_TRUE(file.has_value());
  auto config = ReadConfig(**file);
  ASSERT_TRUE(config.has_value());
  const auto map = MapWeights(**file, *config);
  ASSERT_TRUE(map.has_value());
  EXPECT_EQ(map->layers[0].router.type, DType::kMlx4);
  const auto weights = Weights::Load(*map, {}, {}, nullptr);
  ASSERT_TRUE(weights.has_value());
  for (const LayerWeights& layer : weights->layers()) {
    EXPECT_EQ(layer.router.type, DType::kF32);
    EXPECT_EQ(layer.shared_router.type, DType::kF32);
  }
  EXPECT_EQ(weights->head().type, DType::kMlx4);
}

}  // namespace
}  // namespace flashmoe
