// config.json of Hugging Face and MLX models to geometry; nested (text_config) and flat.
#include <fmt/format.h>

#include "model/config.h"
#include "model/config_limits.h"
#include "model/json_reader.h"

namespace flashmoe {
namespace {

enum class Family { kQwen35, kQwen3Next, kQwen3 };

std::optional<Family> FamilyOf(const std::string& model_type) {
  if (model_type == "qwen3_5_moe" || model_type == "qwen3_5_moe_text") return Family::kQwen35;
  if (model_type == "qwen3_next") return Family::kQwen3Next;
  if (model_type == "qwen3_moe") return Family::kQwen3;
  return std::nullopt;
}

void ReadLayerKinds(JsonReader& reader, Family family, ModelConfig& c) {
  if (family == Family::kQwen3) {
    c.layer_kinds.assign(c.layers, LayerKind::kAttention);
    return;
  }
  const auto* types = reader.Find("layer_types");
  if (types != nullptr && types->is_array()) {
    if (types->size() != static_cast<size_t>(c.layers)) {
      reader.Fail("layer_types",
                  fmt::format("has {} entries for {} layers", types->size(), c.layers));
      return;
    }
    for (const auto& type : *types) {
      if (type == "linear_attention") {
        c.layer_kinds.push_back(LayerKind::kDeltaNet);
      } else if (type == "full_attention") {
        c.layer_kinds.push_back(LayerKind::kAttention);
      } else {
        reader.Fail("layer_types", "names a kind of layer that is not supported");
        return;
      }
    }
    return;
  }
  const int64_t interval = reader.IntOr("full_attention_interval", 4, 1, limits::kLayers);
  for (int32_t i = 0; i < c.layers; ++i) {
    c.layer_kinds.push_back((i + 1) % interval == 0 ? LayerKind::kAttention : LayerKind::kDeltaNet);
  }
}

// Qwen3.5 keeps rope_parameters; older models have flat keys and rope_scaling.
void ReadRope(JsonReader& reader, Family family, ModelConfig& c) {
  const double default_part = family == Family::kQwen3 ? 1.0 : 0.25;
  const nlohmann::json* nested = reader.Find("rope_parameters");
  static const nlohmann::json kNone = nlohmann::json::object();
  JsonReader inner(nested != nullptr ? *nested : kNone, "", "config.json, rope_parameters");
  const double theta =
      inner.NumberOr("rope_theta", reader.NumberOr("rope_theta", 1e4, 1, 1e12), 1, 1e12);
  const double part = inner.NumberOr(
      "partial_rotary_factor", reader.NumberOr("partial_rotary_factor", default_part, 0, 1), 0, 1);
  std::string type = inner.StringOr("rope_type", "default");
  if (const auto* scaling = reader.Find("rope_scaling"); scaling != nullptr) {
    JsonReader old(*scaling, "", "config.json, rope_scaling");
    type = old.StringOr("rope_type", old.StringOr("type", type));
  }
  if (type != "default") reader.Fail("rope_type", "'" + type + "' is not supported");
  if (!inner.status().has_value()) reader.Fail("rope_parameters", "is malformed");
  c.rope_theta = static_cast<float>(theta);
  c.rotary_dims = static_cast<int32_t>(c.head_dim * part);
}

void ReadDeltaNet(JsonReader& reader, ModelConfig& c) {
  if (reader.IntOr("linear_conv_kernel_dim", kConvTaps, 1, 64) != kConvTaps) {
    reader.Fail("linear_conv_kernel_dim", fmt::format("is not {}", kConvTaps));
  }
  c.key_heads = static_cast<int32_t>(reader.Int("linear_num_key_heads", 1, limits::kHeads));
  c.value_heads = static_cast<int32_t>(reader.Int("linear_num_value_heads", 1, limits::kHeads));
  c.key_dim = static_cast<int32_t>(reader.Int("linear_key_head_dim", 1, limits::kHeadDim));
  c.value_dim = static_cast<int32_t>(reader.Int("linear_value_head_dim", 1, limits::kHeadDim));
}

void RefuseVariants(JsonReader& reader) {
  if (reader.StringOr("hidden_act", "silu") != "silu") reader.Fail("hidden_act", "is not silu");
  if (reader.BoolOr("attention_bias", false)) reader.Fail("attention_bias", "is not supported");
  if (reader.BoolOr("use_sliding_window", false)) {
    reader.Fail("use_sliding_window", "is not supported");
  }
  if (!reader.BoolOr("norm_topk_prob", true)) {
    reader.Fail("norm_topk_prob", "is false, which is not supported");
  }
  const auto* dense = reader.Find("mlp_only_layers");
  if (dense != nullptr && dense->is_array() && !dense->empty()) {
    reader.Fail("mlp_only_layers", "names layers without experts, which is not supported");
  }
  if (reader.IntOr("decoder_sparse_step", 1, 0, limits::kLayers) != 1) {
    reader.Fail("decoder_sparse_step", "is not 1");
  }
  const std::string gate = reader.StringOr("output_gate_type", "swish");
  if (gate != "swish" && gate != "silu") {
    reader.Fail("output_gate_type", "'" + gate + "' is not supported");
  }
}

}  // namespace

Result<ModelConfig> ReadHfConfig(const nlohmann::json& config) {
  if (!config.is_object()) return InvalidInput("config.json holds no object");
  const auto nested = config.find("text_config");
  const nlohmann::json& text = nested != config.end() && nested->is_object() ? *nested : config;

  ModelConfig c;
  JsonReader reader(text, "", "config.json");
  c.architecture = reader.StringOr("model_type", "");
  JsonReader outer(config, "", "config.json");
  if (c.architecture.empty() && &text != &config) {
    c.architecture = outer.StringOr("model_type", "");
  }
  const auto family = FamilyOf(c.architecture);
  if (!family) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("model_type '{}' is not supported", c.architecture), "config.json",
                "supported are qwen3_5_moe, qwen3_5_moe_text, qwen3_next and qwen3_moe");
  }

  c.layers = static_cast<int32_t>(reader.Int("num_hidden_layers", 1, limits::kLayers));
  c.hidden = static_cast<int32_t>(reader.Int("hidden_size", 8, limits::kHidden));
  c.vocab_rows = static_cast<int32_t>(reader.Int("vocab_size", 1, limits::kVocab));
  c.context_max = reader.IntOr("max_position_embeddings", 32768, 1, limits::kContext);
  c.rms_eps = static_cast<float>(reader.NumberOr("rms_norm_eps", 1e-6, 1e-12, 1e-1));
  c.heads = static_cast<int32_t>(reader.Int("num_attention_heads", 1, limits::kHeads));
  c.kv_heads =
      static_cast<int32_t>(reader.IntOr("num_key_value_heads", c.heads, 1, limits::kHeads));
  c.head_dim = static_cast<int32_t>(
      reader.IntOr("head_dim", c.hidden / std::max(c.heads, 1), 1, limits::kHeadDim));
  c.output_gate = *family != Family::kQwen3 && reader.BoolOr("attn_output_gate", true);
  ReadRope(reader, *family, c);
  ReadLayerKinds(reader, *family, c);
  if (*family != Family::kQwen3) ReadDeltaNet(reader, c);
  c.experts = static_cast<int32_t>(reader.Int("num_experts", 1, limits::kExperts));
  c.experts_per_token =
      static_cast<int32_t>(reader.Int("num_experts_per_tok", 1, limits::kExpertsPerToken));
  c.expert_width = static_cast<int32_t>(reader.Int("moe_intermediate_size", 8, limits::kWidth));
  if (*family != Family::kQwen3) {
    c.shared_expert_width =
        static_cast<int32_t>(reader.IntOr("shared_expert_intermediate_size", 0, 0, limits::kWidth));
  }
  c.head_may_be_tied =
      reader.BoolOr("tie_word_embeddings", outer.BoolOr("tie_word_embeddings", false));
  c.norms_zero_centred = *family != Family::kQwen3;
  RefuseVariants(reader);
  FM_RETURN_IF_ERROR(reader.status());
  FM_RETURN_IF_ERROR(ValidateConfig(c));
  return c;
}

}  // namespace flashmoe
