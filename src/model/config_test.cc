#include "model/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flashmoe {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr auto kA = LayerKind::kAttention;
constexpr auto kD = LayerKind::kDeltaNet;

json Gguf35() {
  return {{"general.architecture", "qwen35moe"},
          {"general.name", "Some Model"},
          {"qwen35moe.block_count", 8},
          {"qwen35moe.context_length", 262144},
          {"qwen35moe.embedding_length", 2048},
          {"qwen35moe.attention.head_count", 16},
          {"qwen35moe.attention.head_count_kv", 2},
          {"qwen35moe.attention.key_length", 256},
          {"qwen35moe.attention.value_length", 256},
          {"qwen35moe.attention.layer_norm_rms_epsilon", 1e-6},
          {"qwen35moe.rope.dimension_count", 64},
          {"qwen35moe.rope.freq_base", 1e7},
          {"qwen35moe.expert_count", 256},
          {"qwen35moe.expert_used_count", 8},
          {"qwen35moe.expert_feed_forward_length", 512},
          {"qwen35moe.expert_shared_feed_forward_length", 512},
          {"qwen35moe.ssm.conv_kernel", 4},
          {"qwen35moe.ssm.state_size", 128},
          {"qwen35moe.ssm.group_count", 16},
          {"qwen35moe.ssm.time_step_rank", 32},
          {"qwen35moe.ssm.inner_size", 4096}};
}

json Gguf3() {
  return {{"general.architecture", "qwen3moe"},    {"qwen3moe.block_count", 3},
          {"qwen3moe.embedding_length", 2048},     {"qwen3moe.attention.head_count", 32},
          {"qwen3moe.attention.head_count_kv", 4}, {"qwen3moe.attention.key_length", 128},
          {"qwen3moe.rope.freq_base", 1e6},        {"qwen3moe.expert_count", 128},
          {"qwen3moe.expert_used_count", 8},       {"qwen3moe.expert_feed_forward_length", 768}};
}

json Hf35() {
  return {{"model_type", "qwen3_5_moe_text"},
          {"vocab_size", 248320},
          {"hidden_size", 2048},
          {"num_hidden_layers", 4},
          {"num_attention_heads", 16},
          {"num_key_value_heads", 2},
          {"head_dim", 256},
          {"max_position_embeddings", 262144},
          {"rms_norm_eps", 1e-6},
          {"rope_parameters",
           {{"rope_type", "default"}, {"rope_theta", 1e7}, {"partial_rotary_factor", 0.25}}},
          {"linear_conv_kernel_dim", 4},
          {"linear_key_head_dim", 128},
          {"linear_value_head_dim", 128},
          {"linear_num_key_heads", 16},
          {"linear_num_value_heads", 32},
          {"moe_intermediate_size", 512},
          {"shared_expert_intermediate_size", 512},
          {"num_experts", 256},
          {"num_experts_per_tok", 8}};
}

json Hf3() {
  return {{"model_type", "qwen3_moe"}, {"vocab_size", 151936},
          {"hidden_size", 2048},       {"num_hidden_layers", 2},
          {"num_attention_heads", 32}, {"num_key_value_heads", 4},
          {"head_dim", 128},           {"rope_theta", 1e6},
          {"rope_scaling", nullptr},   {"moe_intermediate_size", 768},
          {"num_experts", 128},        {"num_experts_per_tok", 8},
          {"norm_topk_prob", true},    {"mlp_only_layers", json::array()},
          {"decoder_sparse_step", 1}};
}

ModelConfig Good(const Result<ModelConfig>& config) {
  EXPECT_TRUE(config.has_value()) << config.error().ToString();
  return config.value_or(ModelConfig());
}

std::string Refusal(const Result<ModelConfig>& config) {
  EXPECT_FALSE(config.has_value());
  return config.has_value() ? "" : config.error().ToString();
}

TEST(GgufConfigTest, ReadsQwen35) {
  const ModelConfig c = Good(ReadGgufConfig(Gguf35()));
  EXPECT_EQ(c.architecture, "qwen35moe");
  EXPECT_EQ(c.name, "Some Model");
  EXPECT_EQ(c.layers, 8);
  EXPECT_EQ(c.hidden, 2048);
  EXPECT_EQ(c.context_max, 262144);
  EXPECT_THAT(c.layer_kinds, ElementsAre(kD, kD, kD, kA, kD, kD, kD, kA));
  EXPECT_EQ(c.CountLayers(kA), 2);
  EXPECT_EQ(c.rotary_dims, 64);
  EXPECT_EQ(c.rope_theta, 1e7f);
  EXPECT_TRUE(c.output_gate);
  EXPECT_TRUE(c.value_heads_tiled);
  EXPECT_FALSE(c.norms_zero_centred);
  EXPECT_EQ(c.value_dim, 128);
  EXPECT_EQ(c.conv_channels(), 8192);
  EXPECT_EQ(c.shared_expert_width, 512);
}

TEST(GgufConfigTest, PredictionBlocksAreNoLayers) {
  json m = Gguf35();
  m["qwen35moe.block_count"] = 9;
  m["qwen35moe.nextn_predict_layers"] = 1;
  const ModelConfig c = Good(ReadGgufConfig(m));
  EXPECT_EQ(c.layers, 8);
  EXPECT_EQ(c.layer_kinds.size(), 8u);
  m["qwen35moe.nextn_predict_layers"] = 9;
  EXPECT_THAT(Refusal(ReadGgufConfig(m)), HasSubstr("qwen35moe.nextn_predict_layers"));
}

TEST(GgufConfigTest, LayerKindsFromListOrInterval) {
  json m = Gguf35();
  m["qwen35moe.full_attention_interval"] = 2;
  EXPECT_THAT(Good(ReadGgufConfig(m)).layer_kinds, ElementsAre(kD, kA, kD, kA, kD, kA, kD, kA));
  m["qwen35moe.attention.recurrent_layers"] = {true, true, false, true, false, true, true, false};
  EXPECT_THAT(Good(ReadGgufConfig(m)).layer_kinds, ElementsAre(kD, kD, kA, kD, kA, kD, kD, kA));
}

TEST(GgufConfigTest, ValuesGivenByLayerMustAgree) {
  json m = Gguf35();
  m["qwen35moe.attention.head_count_kv"] = {0, 0, 0, 2, 0, 0, 0, 2};
  EXPECT_EQ(Good(ReadGgufConfig(m)).kv_heads, 2);
  m["qwen35moe.attention.head_count_kv"] = {0, 0, 0, 2, 0, 0, 0, 4};
  EXPECT_THAT(Refusal(ReadGgufConfig(m)), HasSubstr("head_count_kv"));
  m = Gguf35();
  m["qwen35moe.expert_feed_forward_length"] = {512, 512, 256};
  EXPECT_THAT(Refusal(ReadGgufConfig(m)), HasSubstr("expert_feed_forward_length"));
}

TEST(GgufConfigTest, HeadOrderIsWhatTheFileSays) {
  json m = Gguf35();
  m["qwen35moe.ssm.v_head_reordered"] = false;
  EXPECT_FALSE(Good(ReadGgufConfig(m)).value_heads_tiled);
  json next = json::object();
  const json qwen35 = Gguf35();
  for (const auto& [key, value] : qwen35.items()) {
    next[key.starts_with("qwen35moe.") ? "qwen3next" + key.substr(9) : key] = value;
  }
  next["general.architecture"] = "qwen3next";
  EXPECT_FALSE(Good(ReadGgufConfig(next)).value_heads_tiled);
  next["qwen3next.ssm.v_head_reordered"] = true;
  EXPECT_TRUE(Good(ReadGgufConfig(next)).value_heads_tiled);
}

TEST(GgufConfigTest, ReadsQwen3) {
  const ModelConfig c = Good(ReadGgufConfig(Gguf3()));
  EXPECT_THAT(c.layer_kinds, AllOf(testing::SizeIs(3), Each(kA)));
  EXPECT_FALSE(c.output_gate);
  EXPECT_EQ(c.rotary_dims, 128);
  EXPECT_EQ(c.shared_expert_width, 0);
  EXPECT_EQ(c.conv_channels(), 0);
}

TEST(GgufConfigTest, ForeignArchitecturesAreNamed) {
  for (const char* name : {"llama", "qwen4exp", "qwen35"}) {
    json m = Gguf35();
    m["general.architecture"] = name;
    EXPECT_THAT(Refusal(ReadGgufConfig(m)),
                AllOf(HasSubstr(std::string("'") + name + "'"), HasSubstr("qwen35moe"),
                      HasSubstr("qwen3next"), HasSubstr("qwen3moe")));
  }
  EXPECT_THAT(Refusal(ReadGgufConfig(json::object())), HasSubstr("general.architecture"));
}

TEST(GgufConfigTest, EveryNeededKeyIsNamedWhenItIsMissing) {
  for (const char* key :
       {"block_count", "embedding_length", "attention.head_count", "expert_count",
        "expert_used_count", "expert_feed_forward_length", "ssm.conv_kernel", "ssm.state_size",
        "ssm.group_count", "ssm.time_step_rank", "ssm.inner_size"}) {
    json m = Gguf35();
    m.erase(std::string("qwen35moe.") + key);
    EXPECT_THAT(Refusal(ReadGgufConfig(m)), HasSubstr(key));
  }
}

TEST(GgufConfigTest, AbsurdNumbersAreRefused) {
  const std::vector<std::pair<const char*, json>> bad = {{"block_count", 0},
                                                         {"block_count", 1u << 31},
                                                         {"embedding_length", uint64_t{1} << 63},
                                                         {"embedding_length", "2048"},
                                                         {"embedding_length", 2044.5},
                                                         {"attention.head_count", -16},
                                                         {"attention.head_count", 15},
                                                         {"attention.value_length", 128},
                                                         {"rope.dimension_count", 63},
                                                         {"rope.dimension_count", 512},
                                                         {"rope.scaling.type", "yarn"},
                                                         {"attention.layer_norm_rms_epsilon", 5.0},
                                                         {"ssm.conv_kernel", 3},
                                                         {"ssm.inner_size", 4095},
                                                         {"ssm.time_step_rank", 31},
                                                         {"expert_used_count", 257},
                                                         {"expert_feed_forward_length", 0}};
  for (const auto& [key, value] : bad) {
    json m = Gguf35();
    m[std::string("qwen35moe.") + key] = value;
    const auto config = ReadGgufConfig(m);
    EXPECT_FALSE(config.has_value()) << key << " = " << value;
  }
}

TEST(HfConfigTest, ReadsFlatAndNested) {
  for (const bool nested : {false, true}) {
    json file = Hf35();
    if (nested) file = {{"model_type", "qwen3_5_moe"}, {"text_config", Hf35()}};
    const ModelConfig c = Good(ReadHfConfig(file));
    EXPECT_EQ(c.architecture, "qwen3_5_moe_text");
    EXPECT_EQ(c.vocab_rows, 248320);
    EXPECT_THAT(c.layer_kinds, ElementsAre(kD, kD, kD, kA));
    EXPECT_EQ(c.rotary_dims, 64);
    EXPECT_EQ(c.rope_theta, 1e7f);
    EXPECT_TRUE(c.norms_zero_centred);
    EXPECT_TRUE(c.output_gate);
    EXPECT_FALSE(c.value_heads_tiled);
  }
}

TEST(HfConfigTest, LayerTypesComeFirst) {
  json file = Hf35();
  file["layer_types"] = {"full_attention", "linear_attention", "linear_attention",
                         "full_attention"};
  EXPECT_THAT(Good(ReadHfConfig(file)).layer_kinds, ElementsAre(kA, kD, kD, kA));
  file["layer_types"] = {"full_attention"};
  EXPECT_THAT(Refusal(ReadHfConfig(file)), HasSubstr("layer_types"));
  file["layer_types"] = {"full_attention", "mamba", "linear_attention", "full_attention"};
  EXPECT_THAT(Refusal(ReadHfConfig(file)), HasSubstr("layer_types"));
}

TEST(HfConfigTest, ReadsQwen3Next) {
  json file = Hf35();
  file["model_type"] = "qwen3_next";
  file.erase("rope_parameters");
  file["rope_theta"] = 5e6;
  file["partial_rotary_factor"] = 0.25;
  const ModelConfig c = Good(ReadHfConfig(file));
  EXPECT_EQ(c.rope_theta, 5e6f);
  EXPECT_EQ(c.rotary_dims, 64);
  EXPECT_TRUE(c.norms_zero_centred);
}

TEST(HfConfigTest, ReadsQwen3) {
  const ModelConfig c = Good(ReadHfConfig(Hf3()));
  EXPECT_THAT(c.layer_kinds, ElementsAre(kA, kA));
  EXPECT_EQ(c.rotary_dims, 128);
  EXPECT_FALSE(c.norms_zero_centred);
  EXPECT_FALSE(c.output_gate);
  EXPECT_EQ(c.shared_expert_width, 0);
}

TEST(HfConfigTest, VariantsThatComputeOtherwiseAreRefused) {
  const std::vector<std::pair<const char*, json>> bad = {
      {"hidden_act", "gelu"},
      {"attention_bias", true},
      {"use_sliding_window", true},
      {"mlp_only_layers", {0}},
      {"decoder_sparse_step", 2},
      {"norm_topk_prob", false},
      {"rope_scaling", {{"rope_type", "yarn"}, {"factor", 4.0}}},
      {"rope_scaling", {{"type", "linear"}}}};
  for (const auto& [key, value] : bad) {
    json file = Hf3();
    file[key] = value;
    EXPECT_FALSE(ReadHfConfig(file).has_value()) << key << " = " << value;
  }
  json file = Hf35();
  file["output_gate_type"] = "sigmoid";
  EXPECT_THAT(Refusal(ReadHfConfig(file)), HasSubstr("output_gate_type"));
}

TEST(HfConfigTest, ForeignModelTypesAreNamed) {
  EXPECT_THAT(Refusal(ReadHfConfig({{"model_type", "llama"}})),
              AllOf(HasSubstr("'llama'"), HasSubstr("qwen3_5_moe")));
  EXPECT_THAT(Refusal(ReadHfConfig({{"model_type", "qwen4_exp"}})), HasSubstr("'qwen4_exp'"));
  EXPECT_FALSE(ReadHfConfig(json::array()).has_value());
  EXPECT_FALSE(ReadHfConfig({{"text_config", 3}}).has_value());
}

TEST(HfConfigTest, EveryNeededKeyIsNamedWhenItIsMissing) {
  for (const char* key : {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
                          "linear_num_key_heads", "linear_value_head_dim", "num_experts",
                          "num_experts_per_tok", "moe_intermediate_size"}) {
    json file = Hf35();
    file.erase(key);
    EXPECT_THAT(Refusal(ReadHfConfig(file)), HasSubstr(key));
  }
}

}  // namespace
}  // namespace flashmoe
