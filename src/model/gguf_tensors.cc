#include "model/gguf_tensors.h"

#include <fmt/format.h>

#include <array>

namespace flashmoe {
namespace {

class Lister {
 public:
  explicit Lister(const ModelConfig& config) : c_(config) {}

  std::vector<TensorSpec> List() {
    Dense("token_embd", {c_.vocab_rows, c_.hidden});
    Dense("output", {c_.vocab_rows, c_.hidden});
    Small("output_norm.weight", {c_.hidden});
    for (int layer = 0; layer < c_.layers; ++layer) Layer(layer);
    return std::move(tensors_);
  }

 private:
  void Layer(int layer) {
    prefix_ = fmt::format("blk.{}.", layer);
    Small("attn_norm.weight", {c_.hidden});
    Small(c_.value_heads > 0 ? "post_attention_norm.weight" : "ffn_norm.weight", {c_.hidden});
    c_.layer_kinds[static_cast<size_t>(layer)] == LayerKind::kAttention ? Attention() : DeltaNet();
    Small("ffn_gate_inp.weight", {c_.experts, c_.hidden});
    Experts("ffn_gate_exps", {c_.experts, c_.expert_width, c_.hidden});
    Experts("ffn_up_exps", {c_.experts, c_.expert_width, c_.hidden});
    Experts("ffn_down_exps", {c_.experts, c_.hidden, c_.expert_width});
    if (c_.shared_expert_width == 0) return;
    Small("ffn_gate_inp_shexp.weight", {c_.hidden});
    Dense("ffn_gate_shexp", {c_.shared_expert_width, c_.hidden});
    Dense("ffn_up_shexp", {c_.shared_expert_width, c_.hidden});
    Dense("ffn_down_shexp", {c_.hidden, c_.shared_expert_width});
  }

  void Attention() {
    const int64_t query = int64_t{c_.heads} * c_.head_dim;
    const int64_t key = int64_t{c_.kv_heads} * c_.head_dim;
    Dense("attn_q", {query * (c_.output_gate ? 2 : 1), c_.hidden});
    Dense("attn_k", {key, c_.hidden});
    Dense("attn_v", {key, c_.hidden});
    Dense("attn_output", {c_.hidden, query});
    Small("attn_q_norm.weight", {c_.head_dim});
    Small("attn_k_norm.weight", {c_.head_dim});
  }

  void DeltaNet() {
    const int64_t values = int64_t{c_.value_heads} * c_.value_dim;
    Dense("attn_qkv", {c_.conv_channels(), c_.hidden});
    Dense("attn_gate", {values, c_.hidden});
    if (c_.architecture == "qwen3next") {
      Dense("ssm_ba", {2 * c_.value_heads, c_.hidden});
    } else {
      Dense("ssm_alpha", {c_.value_heads, c_.hidden});
      Dense("ssm_beta", {c_.value_heads, c_.hidden});
    }
    Dense("ssm_out", {c_.hidden, values});
    Small("ssm_conv1d.weight", {c_.conv_channels(), kConvTaps});
    Small("ssm_dt.bias", {c_.value_heads});
    Small("ssm_a", {c_.value_heads});
    Small("ssm_norm.weight", {c_.value_dim});
  }

  void Small(const char* name, std::vector<int64_t> shape) {
    tensors_.push_back({prefix_ + name, std::move(shape), TensorRole::kSmall});
  }
  void Dense(const char* base, std::vector<int64_t> shape) {
    tensors_.push_back(
        {fmt::format("{}{}.weight", prefix_, base), std::move(shape), TensorRole::kDense});
  }
  void Experts(const char* base, std::vector<int64_t> shape) {
    tensors_.push_back(
        {fmt::format("{}{}.weight", prefix_, base), std::move(shape), TensorRole::kExperts});
  }

  const ModelConfig& c_;
  std::string prefix_;
  std::vector<TensorSpec> tensors_;
};

}  // namespace

std::vector<TensorSpec> ListGgufTensors(const ModelConfig& config) { return Lister(config).List(); }

void AddGgufGeometry(const ModelConfig& c, GgufWriter& file) {
  const auto add = [&](const char* key, auto value) {
    file.Add(fmt::format("{}.{}", c.architecture, key), value);
  };
  const auto number = [&](const char* key, int64_t value) {
    add(key, static_cast<uint32_t>(value));
  };
  file.Add("general.architecture", c.architecture);
  if (!c.name.empty()) file.Add("general.name", c.name);
  number("block_count", c.layers);
  number("context_length", c.context_max);
  number("embedding_length", c.hidden);
  number("attention.head_count", c.heads);
  number("attention.head_count_kv", c.kv_heads);
  number("attention.key_length", c.head_dim);
  number("attention.value_length", c.head_dim);
  add("attention.layer_norm_rms_epsilon", c.rms_eps);
  add("rope.freq_base", c.rope_theta);
  number("expert_count", c.experts);
  number("expert_used_count", c.experts_per_token);
  number("expert_feed_forward_length", c.expert_width);
  if (c.value_heads == 0) return;
  number("expert_shared_feed_forward_length", c.shared_expert_width);
  number("rope.dimension_count", c.rotary_dims);
  if (c.architecture == "qwen35moe") {
    add("rope.dimension_sections", std::vector<int32_t>{11, 11, 10, 0});  // time, height, width
  }
  number("ssm.conv_kernel", kConvTaps);
  number("ssm.state_size", c.key_dim);
  number("ssm.group_count", c.key_heads);
  number("ssm.time_step_rank", c.value_heads);
  number("ssm.inner_size", int64_t{c.value_heads} * c.value_dim);
  number("full_attention_interval", kAttentionInterval);
}

DType GgufTypes::Of(TensorRole role) const {
  return role == TensorRole::kSmall ? DType::kF32 : role == TensorRole::kDense ? dense : experts;
}

Status CheckGgufTypes(const ModelConfig& config, const GgufTypes& types) {
  for (const DType type : {types.dense, types.experts}) {
    const bool number = type == DType::kF64 || (type >= DType::kI8 && type <= DType::kI64);
    if (number || GetInfo(type).ggml_id < 0) {
      return InvalidInput(fmt::format("weights of a GGUF file are not {}", GetInfo(type).name), {},
                          "give e.g. q4_k, q8_0 or bf16");
    }
  }
  for (const TensorSpec& tensor : ListGgufTensors(config)) {
    const DTypeInfo& type = GetInfo(types.Of(tensor.role));
    if (tensor.shape.back() % type.block_elements == 0) continue;
    return InvalidInput(fmt::format("rows of {} elements ({}) are no multiple of {}'s blocks of {}",
                                    tensor.shape.back(), tensor.name, type.name,
                                    type.block_elements));
  }
  return {};
}

}  // namespace flashmoe
