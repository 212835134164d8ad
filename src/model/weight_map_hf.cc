// Tensor names of Hugging Face checkpoints and of MLX conversions of them.
#include <fmt/format.h>

#include "model/tensor_finder.h"

namespace flashmoe {
namespace {

class HfMapper {
 public:
  // `prefix`: what stands before "layers." in every name.
  HfMapper(const ModelFile& file, const ModelConfig& config, std::string prefix, bool zero_centred)
      : find_(file),
        c_(config),
        prefix_(std::move(prefix)),
        norm_add_(zero_centred ? 1.0f : 0.0f) {}

  Result<VectorSource> Norm(const std::string& name, int64_t elements) const {
    FM_ASSIGN_OR_RETURN(VectorSource norm, find_.Vector(name, elements));
    norm.add = norm_add_;
    return norm;
  }

  Result<LayerSources> Layer(int layer, ExpertCatalog& catalog) const {
    const std::string p = fmt::format("{}layers.{}.", prefix_, layer);
    LayerSources out;
    FM_ASSIGN_OR_RETURN(out.mixer_norm, Norm(p + "input_layernorm.weight", c_.hidden));
    FM_ASSIGN_OR_RETURN(out.moe_norm, Norm(p + "post_attention_layernorm.weight", c_.hidden));
    if (c_.layer_kinds[layer] == LayerKind::kAttention) {
      FM_ASSIGN_OR_RETURN(out.attention, Attention(p + "self_attn."));
    } else {
      FM_ASSIGN_OR_RETURN(out.delta_net, DeltaNet(p + "linear_attn."));
    }
    FM_ASSIGN_OR_RETURN(out.router, find_.Matrix(p + "mlp.gate", c_.experts, c_.hidden));
    if (c_.shared_expert_width > 0) FM_RETURN_IF_ERROR(Shared(p + "mlp.", out));
    FM_ASSIGN_OR_RETURN(out.experts, Experts(p + "mlp.", layer, catalog));
    return out;
  }

 private:
  Result<AttentionSources> Attention(const std::string& p) const {
    const int64_t q_rows = int64_t{c_.heads} * c_.head_dim * (c_.output_gate ? 2 : 1);
    const int64_t kv_rows = int64_t{c_.kv_heads} * c_.head_dim;
    AttentionSources a;
    FM_ASSIGN_OR_RETURN(a.q, find_.Matrix(p + "q_proj", q_rows, c_.hidden));
    FM_ASSIGN_OR_RETURN(a.k, find_.Matrix(p + "k_proj", kv_rows, c_.hidden));
    FM_ASSIGN_OR_RETURN(a.v, find_.Matrix(p + "v_proj", kv_rows, c_.hidden));
    FM_ASSIGN_OR_RETURN(a.o,
                        find_.Matrix(p + "o_proj", c_.hidden, int64_t{c_.heads} * c_.head_dim));
    FM_ASSIGN_OR_RETURN(a.q_norm, Norm(p + "q_norm.weight", c_.head_dim));
    FM_ASSIGN_OR_RETURN(a.k_norm, Norm(p + "k_norm.weight", c_.head_dim));
    return a;
  }

  Result<DeltaNetSources> DeltaNet(const std::string& p) const {
    const int64_t value_rows = int64_t{c_.value_heads} * c_.value_dim;
    DeltaNetSources d;
    if (find_.Has(p + "in_proj_qkvz.weight")) {  // Qwen3-Next
      FM_ASSIGN_OR_RETURN(
          const MatrixSource qkvz,
          find_.Matrix(p + "in_proj_qkvz", c_.conv_channels() + value_rows, c_.hidden));
      FM_ASSIGN_OR_RETURN(const MatrixSource ba,
                          find_.Matrix(p + "in_proj_ba", 2 * c_.value_heads, c_.hidden));
      SplitQkvz wide = SplitGroupedQkvz(qkvz, c_);
      SplitBa narrow = SplitGroupedBa(ba, c_);
      d.qkv = std::move(wide.qkv);
      d.z = std::move(wide.z);
      d.b = std::move(narrow.b);
      d.a = std::move(narrow.a);
    } else {
      FM_ASSIGN_OR_RETURN(d.qkv, find_.Matrix(p + "in_proj_qkv", c_.conv_channels(), c_.hidden));
      FM_ASSIGN_OR_RETURN(d.z, find_.Matrix(p + "in_proj_z", value_rows, c_.hidden));
      FM_ASSIGN_OR_RETURN(d.a, find_.Matrix(p + "in_proj_a", c_.value_heads, c_.hidden));
      FM_ASSIGN_OR_RETURN(d.b, find_.Matrix(p + "in_proj_b", c_.value_heads, c_.hidden));
    }
    FM_ASSIGN_OR_RETURN(d.out, find_.Matrix(p + "out_proj", c_.hidden, value_rows));
    FM_ASSIGN_OR_RETURN(d.conv, find_.Vector(p + "conv1d.weight", c_.conv_channels() * kConvTaps));
    FM_ASSIGN_OR_RETURN(d.dt_bias, find_.Vector(p + "dt_bias", c_.value_heads));
    FM_ASSIGN_OR_RETURN(d.neg_a, find_.Vector(p + "A_log", c_.value_heads));
    d.neg_a.negate_exp = true;
    FM_ASSIGN_OR_RETURN(d.norm, find_.Vector(p + "norm.weight", c_.value_dim));
    return d;
  }

  Status Shared(const std::string& p, LayerSources& out) const {
    const int64_t width = c_.shared_expert_width;
    const std::string s = p + "shared_expert.";
    FM_ASSIGN_OR_RETURN(out.shared_gate, find_.Matrix(s + "gate_proj", width, c_.hidden));
    FM_ASSIGN_OR_RETURN(out.shared_up, find_.Matrix(s + "up_proj", width, c_.hidden));
    FM_ASSIGN_OR_RETURN(out.shared_down, find_.Matrix(s + "down_proj", c_.hidden, width));
    FM_ASSIGN_OR_RETURN(out.shared_router, find_.Matrix(p + "shared_expert_gate", 1, c_.hidden));
    return {};
  }

  Result<ExpertLayout> Experts(const std::string& p, int layer, ExpertCatalog& catalog) const {
    ExpertPieces pieces(c_.experts);
    Result<ExpertLayout> layout;
    if (find_.Has(p + "switch_mlp.gate_proj.weight")) {
      layout = Stacked(p + "switch_mlp.", pieces);
    } else if (find_.Has(p + "experts.gate_up_proj")) {
      layout = Fused(p + "experts.", pieces);
    } else {
      layout = Separate(p + "experts.", pieces);
    }
    FM_RETURN_IF_ERROR(layout);
    std::move(pieces).MoveInto(catalog, layer);
    return layout;
  }

  // MLX: one stack for each of gate, up and down.
  Result<ExpertLayout> Stacked(const std::string& p, ExpertPieces& pieces) const {
    const int64_t width = c_.expert_width;
    FM_ASSIGN_OR_RETURN(const MatrixSource gate,
                        find_.Stack(p + "gate_proj", false, c_.experts, width, c_.hidden));
    FM_ASSIGN_OR_RETURN(const MatrixSource up,
                        find_.Stack(p + "up_proj", false, c_.experts, width, c_.hidden));
    FM_ASSIGN_OR_RETURN(const MatrixSource down,
                        find_.Stack(p + "down_proj", false, c_.experts, c_.hidden, width));
    return ExpertLayout{pieces.AddStack(gate), pieces.AddStack(up), pieces.AddStack(down)};
  }

  // Rows 0 .. width - 1 of gate_up_proj are the gate's.
  Result<ExpertLayout> Fused(const std::string& p, ExpertPieces& pieces) const {
    const int64_t width = c_.expert_width;
    FM_ASSIGN_OR_RETURN(const MatrixSource both,
                        find_.Stack(p + "gate_up_proj", true, c_.experts, 2 * width, c_.hidden));
    FM_ASSIGN_OR_RETURN(const MatrixSource down,
                        find_.Stack(p + "down_proj", true, c_.experts, c_.hidden, width));
    const ExpertMatrix gate_up = pieces.AddStack(both);
    return ExpertLayout{SliceExpertRows(gate_up, 0, width), SliceExpertRows(gate_up, width, width),
                        pieces.AddStack(down)};
  }

  Result<ExpertLayout> Separate(const std::string& p, ExpertPieces& pieces) const {
    const int64_t width = c_.expert_width;
    const auto collect = [&](const char* name, int64_t rows, int64_t cols) -> Result<ExpertMatrix> {
      std::vector<MatrixSource> sources;
      for (int e = 0; e < c_.experts; ++e) {
        FM_ASSIGN_OR_RETURN(MatrixSource source,
                            find_.Matrix(fmt::format("{}{}.{}", p, e, name), rows, cols));
        sources.push_back(std::move(source));
      }
      return pieces.AddSeparate(sources);
    };
    ExpertLayout layout;
    FM_ASSIGN_OR_RETURN(layout.gate, collect("gate_proj", width, c_.hidden));
    FM_ASSIGN_OR_RETURN(layout.up, collect("up_proj", width, c_.hidden));
    FM_ASSIGN_OR_RETURN(layout.down, collect("down_proj", c_.hidden, width));
    return layout;
  }

  TensorFinder find_;
  const ModelConfig& c_;
  std::string prefix_;
  float norm_add_;
};

std::string FindPrefix(const TensorFinder& find) {
  for (const char* prefix :
       {"model.language_model.", "language_model.model.", "model.", "language_model."}) {
    if (find.Has(std::string(prefix) + "embed_tokens.weight")) return prefix;
  }
  return "model.";
}

// MLX conversions store norms as they are applied; they are known by the transposed convolution.
bool IsSanitisedMlx(const ModelFile& file, const ModelConfig& config, const std::string& prefix) {
  for (int layer = 0; layer < config.layers; ++layer) {
    const TensorInfo* conv =
        file.Find(fmt::format("{}layers.{}.linear_attn.conv1d.weight", prefix, layer));
    if (conv != nullptr) return conv->shape.size() == 3 && conv->shape.back() == 1;
  }
  return false;
}

}  // namespace

Result<WeightMap> MapHf(const ModelFile& file, ModelConfig& config) {
  const TensorFinder find(file);
  const std::string prefix = FindPrefix(find);
  const bool zero_centred = config.norms_zero_centred && !IsSanitisedMlx(file, config, prefix);
  const HfMapper mapper(file, config, prefix, zero_centred);

  WeightMap map;
  FM_ASSIGN_OR_RETURN(map.embedding,
                      find.Matrix(prefix + "embed_tokens", config.vocab_rows, config.hidden));
  for (const char* head : {"lm_head", "language_model.lm_head", "model.lm_head"}) {
    if (!find.Has(std::string(head) + ".weight")) continue;
    FM_ASSIGN_OR_RETURN(map.head, find.Matrix(head, config.vocab_rows, config.hidden));
    break;
  }
  if (!map.head && !config.head_may_be_tied) FM_RETURN_IF_ERROR(find.Get("lm_head.weight"));
  FM_ASSIGN_OR_RETURN(map.final_norm, mapper.Norm(prefix + "norm.weight", config.hidden));
  map.experts = ExpertCatalog(config.layers, config.experts);
  for (int layer = 0; layer < config.layers; ++layer) {
    FM_ASSIGN_OR_RETURN(LayerSources sources, mapper.Layer(layer, map.experts));
    map.layers.push_back(std::move(sources));
  }
  return map;
}

}  // namespace flashmoe
