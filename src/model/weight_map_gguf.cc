// GGUF tensor names, as llama.cpp's converters write them.
#include <fmt/format.h>

#include "model/config_limits.h"
#include "model/tensor_finder.h"

namespace flashmoe {
namespace {

class GgufMapper {
 public:
  GgufMapper(const ModelFile& file, const ModelConfig& config) : find_(file), c_(config) {}

  Result<LayerSources> Layer(int layer, ExpertCatalog& catalog) const {
    const std::string p = fmt::format("blk.{}.", layer);
    LayerSources out;
    FM_ASSIGN_OR_RETURN(out.mixer_norm, find_.Vector(p + "attn_norm.weight", c_.hidden));
    const bool plain = find_.Has(p + "ffn_norm.weight");
    FM_ASSIGN_OR_RETURN(
        out.moe_norm,
        find_.Vector(p + (plain ? "ffn_norm.weight" : "post_attention_norm.weight"), c_.hidden));
    if (c_.layer_kinds[layer] == LayerKind::kAttention) {
      FM_ASSIGN_OR_RETURN(out.attention, Attention(p));
    } else {
      FM_ASSIGN_OR_RETURN(out.delta_net, DeltaNet(p));
    }
    FM_ASSIGN_OR_RETURN(out.router, find_.Matrix(p + "ffn_gate_inp", c_.experts, c_.hidden));
    if (c_.shared_expert_width > 0) FM_RETURN_IF_ERROR(Shared(p, out));
    FM_ASSIGN_OR_RETURN(out.experts, Experts(p, layer, catalog));
    return out;
  }

 private:
  Result<AttentionSources> Attention(const std::string& p) const {
    const int64_t q_rows = int64_t{c_.heads} * c_.head_dim * (c_.output_gate ? 2 : 1);
    const int64_t kv_rows = int64_t{c_.kv_heads} * c_.head_dim;
    AttentionSources a;
    FM_ASSIGN_OR_RETURN(a.q, find_.Matrix(p + "attn_q", q_rows, c_.hidden));
    FM_ASSIGN_OR_RETURN(a.k, find_.Matrix(p + "attn_k", kv_rows, c_.hidden));
    FM_ASSIGN_OR_RETURN(a.v, find_.Matrix(p + "attn_v", kv_rows, c_.hidden));
    FM_ASSIGN_OR_RETURN(
        a.o, find_.Matrix(p + "attn_output", c_.hidden, int64_t{c_.heads} * c_.head_dim));
    FM_ASSIGN_OR_RETURN(a.q_norm, find_.Vector(p + "attn_q_norm.weight", c_.head_dim));
    FM_ASSIGN_OR_RETURN(a.k_norm, find_.Vector(p + "attn_k_norm.weight", c_.head_dim));
    return a;
  }

  Result<DeltaNetSources> DeltaNet(const std::string& p) const {
    const int64_t value_rows = int64_t{c_.value_heads} * c_.value_dim;
    DeltaNetSources d;
    if (find_.Has(p + "ssm_in.weight")) {  // early Qwen3-Next files
      FM_ASSIGN_OR_RETURN(const MatrixSource fused,
                          find_.Matrix(p + "ssm_in", c_.conv_channels() + value_rows, c_.hidden));
      SplitQkvz split = SplitGroupedQkvz(fused, c_);
      d.qkv = std::move(split.qkv);
      d.z = std::move(split.z);
    } else {
      FM_ASSIGN_OR_RETURN(d.qkv, find_.Matrix(p + "attn_qkv", c_.conv_channels(), c_.hidden));
      FM_ASSIGN_OR_RETURN(d.z, find_.Matrix(p + "attn_gate", value_rows, c_.hidden));
    }
    if (find_.Has(p + "ssm_ba.weight")) {
      FM_ASSIGN_OR_RETURN(const MatrixSource fused,
                          find_.Matrix(p + "ssm_ba", 2 * c_.value_heads, c_.hidden));
      SplitBa split = SplitGroupedBa(fused, c_);
      d.b = std::move(split.b);
      d.a = std::move(split.a);
    } else {
      FM_ASSIGN_OR_RETURN(d.a, find_.Matrix(p + "ssm_alpha", c_.value_heads, c_.hidden));
      FM_ASSIGN_OR_RETURN(d.b, find_.Matrix(p + "ssm_beta", c_.value_heads, c_.hidden));
    }
    FM_ASSIGN_OR_RETURN(d.out, find_.Matrix(p + "ssm_out", c_.hidden, value_rows));
    FM_ASSIGN_OR_RETURN(d.conv,
                        find_.Vector(p + "ssm_conv1d.weight", c_.conv_channels() * kConvTaps));
    FM_ASSIGN_OR_RETURN(d.dt_bias, find_.Vector(p + "ssm_dt.bias", c_.value_heads));
    FM_ASSIGN_OR_RETURN(d.neg_a, find_.Vector(p + "ssm_a", c_.value_heads));
    FM_ASSIGN_OR_RETURN(d.norm, find_.Vector(p + "ssm_norm.weight", c_.value_dim));
    return d;
  }

  Status Shared(const std::string& p, LayerSources& out) const {
    const int64_t width = c_.shared_expert_width;
    FM_ASSIGN_OR_RETURN(out.shared_gate, find_.Matrix(p + "ffn_gate_shexp", width, c_.hidden));
    FM_ASSIGN_OR_RETURN(out.shared_up, find_.Matrix(p + "ffn_up_shexp", width, c_.hidden));
    FM_ASSIGN_OR_RETURN(out.shared_down, find_.Matrix(p + "ffn_down_shexp", c_.hidden, width));
    FM_ASSIGN_OR_RETURN(out.shared_router, find_.Matrix(p + "ffn_gate_inp_shexp", 1, c_.hidden));
    return {};
  }

  Result<ExpertLayout> Experts(const std::string& p, int layer, ExpertCatalog& catalog) const {
    const int64_t width = c_.expert_width;
    ExpertPieces pieces(c_.experts);
    ExpertLayout layout;
    if (find_.Has(p + "ffn_gate_up_exps.weight")) {
      FM_ASSIGN_OR_RETURN(const MatrixSource fused, find_.Stack(p + "ffn_gate_up_exps", false,
                                                                c_.experts, 2 * width, c_.hidden));
      const ExpertMatrix both = pieces.AddStack(fused);
      layout.gate = SliceExpertRows(both, 0, width);
      layout.up = SliceExpertRows(both, width, width);
    } else {
      FM_ASSIGN_OR_RETURN(const MatrixSource gate,
                          find_.Stack(p + "ffn_gate_exps", false, c_.experts, width, c_.hidden));
      FM_ASSIGN_OR_RETURN(const MatrixSource up,
                          find_.Stack(p + "ffn_up_exps", false, c_.experts, width, c_.hidden));
      layout.gate = pieces.AddStack(gate);
      layout.up = pieces.AddStack(up);
    }
    FM_ASSIGN_OR_RETURN(const MatrixSource down,
                        find_.Stack(p + "ffn_down_exps", false, c_.experts, c_.hidden, width));
    layout.down = pieces.AddStack(down);
    std::move(pieces).MoveInto(catalog, layer);
    return layout;
  }

  TensorFinder find_;
  const ModelConfig& c_;
};

}  // namespace

Result<WeightMap> MapGguf(const ModelFile& file, ModelConfig& config) {
  const TensorFinder find(file);
  FM_ASSIGN_OR_RETURN(const TensorInfo* embedding, find.Get("token_embd.weight"));
  if (embedding->shape.size() != 2 || embedding->shape[0] > limits::kVocab) {
    return InvalidInput("tensor 'token_embd.weight' is not a matrix of a known size",
                        embedding->file->path(), "the file is damaged");
  }
  config.vocab_rows = static_cast<int32_t>(embedding->shape[0]);
  WeightMap map;
  FM_ASSIGN_OR_RETURN(map.embedding, find.Matrix("token_embd", config.vocab_rows, config.hidden));
  if (find.Has("output.weight")) {
    FM_ASSIGN_OR_RETURN(map.head, find.Matrix("output", config.vocab_rows, config.hidden));
  }
  FM_ASSIGN_OR_RETURN(map.final_norm, find.Vector("output_norm.weight", config.hidden));
  map.experts = ExpertCatalog(config.layers, config.experts);
  const GgufMapper mapper(file, config);
  for (int layer = 0; layer < config.layers; ++layer) {
    FM_ASSIGN_OR_RETURN(LayerSources sources, mapper.Layer(layer, map.experts));
    map.layers.push_back(std::move(sources));
  }
  return map;
}

}  // namespace flashmoe
