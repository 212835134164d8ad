// GGUF metadata to geometry. Keys: the architecture's name, a dot, and the names llama.cpp writes.
#include <fmt/format.h>

#include "model/config.h"
#include "model/config_limits.h"
#include "model/json_reader.h"

namespace flashmoe {
namespace {

enum class Family { kQwen35, kQwen3Next, kQwen3 };

std::optional<Family> FamilyOf(const std::string& architecture) {
  if (architecture == "qwen35moe") return Family::kQwen35;
  if (architecture == "qwen3next") return Family::kQwen3Next;
  if (architecture == "qwen3moe") return Family::kQwen3;
  return std::nullopt;
}

// Which layers are recurrent: an explicit list, or all but every n-th.
void ReadLayerKinds(JsonReader& reader, Family family, ModelConfig& c) {
  if (family == Family::kQwen3) {
    c.layer_kinds.assign(c.layers, LayerKind::kAttention);
    return;
  }
  const auto* recurrent = reader.Find("attention.recurrent_layers");
  if (recurrent != nullptr && recurrent->is_array() &&
      recurrent->size() >= static_cast<size_t>(c.layers)) {
    for (int32_t i = 0; i < c.layers; ++i) {
      const auto& flag = (*recurrent)[i];
      const bool linear = flag.is_boolean() ? flag.get<bool>() : flag.is_number() && flag != 0;
      c.layer_kinds.push_back(linear ? LayerKind::kDeltaNet : LayerKind::kAttention);
    }
    return;
  }
  const int64_t interval = reader.IntOr("full_attention_interval", 4, 1, limits::kLayers);
  for (int32_t i = 0; i < c.layers; ++i) {
    c.layer_kinds.push_back((i + 1) % interval == 0 ? LayerKind::kAttention : LayerKind::kDeltaNet);
  }
}

void ReadDeltaNet(JsonReader& reader, const nlohmann::json& metadata, Family family,
                  ModelConfig& c) {
  if (reader.Int("ssm.conv_kernel", 1, 64) != kConvTaps) {
    reader.Fail("ssm.conv_kernel", fmt::format("is not {}", kConvTaps));
  }
  c.key_dim = static_cast<int32_t>(reader.Int("ssm.state_size", 1, limits::kHeadDim));
  c.key_heads = static_cast<int32_t>(reader.Int("ssm.group_count", 1, limits::kHeads));
  c.value_heads = static_cast<int32_t>(reader.Int("ssm.time_step_rank", 1, limits::kHeads));
  const int64_t inner = reader.Int("ssm.inner_size", 1, limits::kHeads * limits::kHeadDim);
  if (inner % c.value_heads != 0) reader.Fail("ssm.inner_size", "is no multiple of the heads");
  c.value_dim = static_cast<int32_t>(inner / c.value_heads);
  // Converters of Qwen3.5 reorder value heads; a file that says otherwise is believed.
  c.value_heads_tiled = family == Family::kQwen35;
  const auto reordered = metadata.find("ssm.v_head_reordered");
  if (reordered != metadata.end() && reordered->is_boolean()) {
    c.value_heads_tiled = reordered->get<bool>();
  }
  c.value_heads_tiled = reader.BoolOr("ssm.v_head_reordered", c.value_heads_tiled);
}

void ReadAttention(JsonReader& reader, ModelConfig& c) {
  c.heads = static_cast<int32_t>(reader.Int("attention.head_count", 1, limits::kHeads));
  const auto* kv = reader.Find("attention.head_count_kv");
  if (kv != nullptr && kv->is_array()) {
    // One entry a layer, 0 where a layer is recurrent.
    for (const auto& item : *kv) {
      if (!item.is_number_integer()) continue;
      const int64_t heads = item.get<int64_t>();
      if (heads <= 0 || heads > limits::kHeads) continue;
      if (c.kv_heads != 0 && c.kv_heads != heads) {
        reader.Fail("attention.head_count_kv", "differs from layer to layer");
      }
      c.kv_heads = static_cast<int32_t>(heads);
    }
    if (c.kv_heads == 0) reader.Fail("attention.head_count_kv", "has no positive entry");
  } else {
    c.kv_heads =
        static_cast<int32_t>(reader.IntOr("attention.head_count_kv", c.heads, 1, limits::kHeads));
  }
  c.head_dim = static_cast<int32_t>(
      reader.IntOr("attention.key_length", c.hidden / std::max(c.heads, 1), 1, limits::kHeadDim));
  if (reader.IntOr("attention.value_length", c.head_dim, 1, limits::kHeadDim) != c.head_dim) {
    reader.Fail("attention.value_length", "differs from attention.key_length");
  }
  c.rotary_dims =
      static_cast<int32_t>(reader.IntOr("rope.dimension_count", c.head_dim, 2, limits::kHeadDim));
  c.rope_theta = static_cast<float>(reader.NumberOr("rope.freq_base", 1e4, 1, 1e12));
  const std::string scaling = reader.StringOr("rope.scaling.type", "none");
  if (scaling != "none") reader.Fail("rope.scaling.type", "'" + scaling + "' is not supported");
}

}  // namespace

Result<ModelConfig> ReadGgufConfig(const nlohmann::json& metadata) {
  const auto architecture = metadata.find("general.architecture");
  if (architecture == metadata.end() || !architecture->is_string()) {
    return InvalidInput("general.architecture is missing from the GGUF metadata", {},
                        "the file is damaged or not a language model");
  }
  ModelConfig c;
  c.architecture = architecture->get<std::string>();
  const auto family = FamilyOf(c.architecture);
  if (!family) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("architecture '{}' is not supported", c.architecture), {},
                "supported are " + SupportedArchitectures());
  }
  if (const auto name = metadata.find("general.name");
      name != metadata.end() && name->is_string()) {
    c.name = name->get<std::string>();
  }

  JsonReader reader(metadata, c.architecture + ".", "GGUF metadata");
  const int64_t blocks = reader.Int("block_count", 1, limits::kLayers);
  const int64_t predicting = reader.IntOr("nextn_predict_layers", 0, 0, blocks - 1);
  c.layers = static_cast<int32_t>(blocks - predicting);
  c.hidden = static_cast<int32_t>(reader.Int("embedding_length", 8, limits::kHidden));
  c.context_max = reader.IntOr("context_length", 32768, 1, limits::kContext);
  c.rms_eps =
      static_cast<float>(reader.NumberOr("attention.layer_norm_rms_epsilon", 1e-6, 1e-12, 1e-1));
  ReadAttention(reader, c);
  c.output_gate = *family != Family::kQwen3;
  ReadLayerKinds(reader, *family, c);
  if (*family != Family::kQwen3) ReadDeltaNet(reader, metadata, *family, c);

  c.experts = static_cast<int32_t>(reader.Int("expert_count", 1, limits::kExperts));
  c.experts_per_token =
      static_cast<int32_t>(reader.Int("expert_used_count", 1, limits::kExpertsPerToken));
  c.expert_width =
      static_cast<int32_t>(reader.Int("expert_feed_forward_length", 8, limits::kWidth));
  if (*family != Family::kQwen3) {
    c.shared_expert_width = static_cast<int32_t>(
        reader.IntOr("expert_shared_feed_forward_length", c.expert_width, 8, limits::kWidth));
  }
  FM_RETURN_IF_ERROR(reader.status());
  FM_RETURN_IF_ERROR(ValidateConfig(c));
  return c;
}

}  // namespace flashmoe
