// A model's geometry, read from its metadata: what distinguishes the members of the Qwen MoE
// family.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "format/model_file.h"

namespace flashmoe {

enum class LayerKind : uint8_t { kAttention, kDeltaNet };

struct ModelConfig {
  std::string architecture;  // as the file names it: "qwen35moe", "qwen3_5_moe_text", ...
  std::string name;          // what the file calls the model; may be empty

  int32_t layers = 0;
  int32_t hidden = 0;       // H, elements of the residual stream
  int32_t vocab_rows = 0;   // rows of embedding and head; those past the tokenizer are padding
  int64_t context_max = 0;  // positions the model was trained for
  float rms_eps = 1e-6f;
  std::vector<LayerKind> layer_kinds;  // [layers]

  // Full attention.
  int32_t heads = 0;
  int32_t kv_heads = 0;  // query head h reads key/value head h / (heads / kv_heads)
  int32_t head_dim = 0;
  int32_t rotary_dims = 0;  // the first dimensions of a head, rotated as pairs (i, i + half)
  float rope_theta = 1e4f;
  bool output_gate = false;  // each head's output is scaled by sigmoid of a gate that q_proj yields

  // Gated delta net; all 0 in models without such layers.
  int32_t key_heads = 0;
  int32_t value_heads = 0;
  int32_t key_dim = 0;    // of a head
  int32_t value_dim = 0;  // of a head
  // Value head j reads key head j % key_heads (GGUF of Qwen3.5) or j / (value_heads / key_heads).
  bool value_heads_tiled = false;

  // Mixture of experts, in every layer.
  int32_t experts = 0;
  int32_t experts_per_token = 0;
  int32_t expert_width = 0;         // I, intermediate size
  int32_t shared_expert_width = 0;  // 0: no shared expert

  // The file may leave the head out, because the embedding serves as one.
  bool head_may_be_tied = true;

  // Whether norm weights are stored as w - 1 (Hugging Face files of Qwen3.5 and Qwen3-Next).
  bool norms_zero_centred = false;

  int64_t conv_channels() const {
    return 2 * int64_t{key_heads} * key_dim + int64_t{value_heads} * value_dim;
  }
  int32_t CountLayers(LayerKind kind) const;
};

// Taps of the causal convolution in front of the delta net; the only size any model has.
inline constexpr int kConvTaps = 4;

// Reads and validates. Any architecture but the supported ones is refused with a line that names it
// and lists what is supported. Blocks of a multi-token-prediction head are not counted as layers.
Result<ModelConfig> ReadConfig(const ModelFile& file);

// The same from the metadata alone (GGUF keys, or the contents of config.json).
Result<ModelConfig> ReadGgufConfig(const nlohmann::json& metadata);
Result<ModelConfig> ReadHfConfig(const nlohmann::json& config);

// The architectures ReadConfig accepts, for messages.
std::string SupportedArchitectures();

}  // namespace flashmoe
