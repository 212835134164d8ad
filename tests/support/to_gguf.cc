#include "tests/support/to_gguf.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "format/gguf_writer.h"
#include "tests/support/quantise.h"

namespace flashmoe {
namespace {

using Next = GgufOptions::Next;
using Floats = std::vector<float>;

struct Tensor {
  std::string name;
  DType type;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;
};

std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Converter {
 public:
  Converter(const HubModel& model, const GgufOptions& options)
      : model_(model), options_(options), g_(model.geometry()) {
    if (!model.tensors.contains("model.layers.0.mlp.experts.gate_up_proj")) {
      model_ = FuseExperts(model_);
    }
    if (options.next != Next::kNo) grouped_ = AsQwen3Next(model_);
    recurrent_ = model.has_delta_net();
    architecture_ = !recurrent_                 ? "qwen3moe"
                    : options.next != Next::kNo ? "qwen3next"
                                                : "qwen35moe";
  }

  std::vector<Tensor> Tensors() {
    Matrix("token_embd.weight", "model.embed_tokens.weight");
    Norm("output_norm.weight", "model.norm.weight");
    if (model_.tensors.contains("lm_head.weight")) Matrix("output.weight", "lm_head.weight");
    for (int64_t layer = 0; layer < g_.layers; ++layer) Layer(layer);
    if (options_.prediction_block) PredictionBlock();
    return std::move(out_);
  }

  void Metadata(GgufWriter& writer) const {
    const auto& c = model_.config;
    const auto key = [&](const char* name) { return architecture_ + "." + name; };
    const auto add = [&](const char* name, const char* from) {
      writer.Add(key(name), c[from].get<uint32_t>());
    };
    writer.Add("general.architecture", architecture_);
    writer.Add("general.name", std::string("test model"));
    writer.Add(key("block_count"),
               static_cast<uint32_t>(g_.layers + (options_.prediction_block ? 1 : 0)));
    if (options_.prediction_block) writer.Add(key("nextn_predict_layers"), uint32_t{1});
    add("context_length", "max_position_embeddings");
    add("embedding_length", "hidden_size");
    add("attention.head_count", "num_attention_heads");
    add("attention.head_count_kv", "num_key_value_heads");
    add("attention.key_length", "head_dim");
    add("attention.value_length", "head_dim");
    writer.Add(key("attention.layer_norm_rms_epsilon"), c["rms_norm_eps"].get<float>());
    writer.Add(key("rope.freq_base"), c["rope_parameters"]["rope_theta"].get<float>());
    add("expert_count", "num_experts");
    add("expert_used_count", "num_experts_per_tok");
    add("expert_feed_forward_length", "moe_intermediate_size");
    if (recurrent_) RecurrentMetadata(writer);
    Vocabulary(writer);
  }

 private:
  void RecurrentMetadata(GgufWriter& writer) const {
    const auto& c = model_.config;
    const auto add = [&](const char* name, int64_t value) {
      writer.Add(architecture_ + "." + name, static_cast<uint32_t>(value));
    };
    const double part = c["rope_parameters"]["partial_rotary_factor"].get<double>();
    add("rope.dimension_count", std::lround(c["head_dim"].get<double>() * part));
    add("expert_shared_feed_forward_length", c["shared_expert_intermediate_size"].get<int64_t>());
    add("ssm.conv_kernel", 4);
    add("ssm.state_size", g_.key_dim);
    add("ssm.group_count", g_.key_heads);
    add("ssm.time_step_rank", g_.value_heads);
    add("ssm.inner_size", g_.value_heads * g_.value_dim);
    add("full_attention_interval", c["full_attention_interval"].get<int64_t>());
  }

  void Vocabulary(GgufWriter& writer) const {
    const auto tokenizer = nlohmann::json::parse(ReadText(model_.folder + "/tokenizer.json"));
    std::vector<std::string> tokens(model_.config["vocab_size"].get<size_t>());
    std::vector<int32_t> types(tokens.size(), 5);  // unused
    for (const auto& [text, id] : tokenizer["model"]["vocab"].items()) {
      tokens[id.get<size_t>()] = text;
      types[id.get<size_t>()] = 1;
    }
    for (const auto& added : tokenizer["added_tokens"]) {
      tokens[added["id"].get<size_t>()] = added["content"];
      types[added["id"].get<size_t>()] = added["special"].get<bool>() ? 3 : 4;
    }
    std::vector<std::string> merges;
    for (const auto& merge : tokenizer["model"]["merges"]) {
      merges.push_back(merge[0].get<std::string>() + " " + merge[1].get<std::string>());
    }
    writer.Add("tokenizer.ggml.model", std::string("gpt2"));
    writer.Add("tokenizer.ggml.pre", std::string("qwen35"));
    writer.Add("tokenizer.ggml.tokens", tokens);
    writer.Add("tokenizer.ggml.token_type", types);
    writer.Add("tokenizer.ggml.merges", merges);
    writer.Add("tokenizer.ggml.eos_token_id", model_.config["eos_token_id"].get<uint32_t>());
    writer.Add("tokenizer.ggml.add_bos_token", false);
    writer.Add("tokenizer.chat_template", ReadText(model_.folder + "/chat_template.jinja"));
  }

  void Layer(int64_t layer) {
    const std::string from = fmt::format("model.layers.{}.", layer);
    const std::string to = fmt::format("blk.{}.", layer);
    Norm(to + "attn_norm.weight", from + "input_layernorm.weight");
    Norm(to + (recurrent_ ? "post_attention_norm.weight" : "ffn_norm.weight"),
         from + "post_attention_layernorm.weight");
    if (model_.tensors.contains(from + "self_attn.q_proj.weight")) {
      Attention(to, from + "self_attn.");
    } else {
      DeltaNet(to, from + "linear_attn.");
    }
    Experts(to, from + "mlp.");
  }

  void Attention(const std::string& to, const std::string& from) {
    Matrix(to + "attn_q.weight", from + "q_proj.weight");
    Matrix(to + "attn_k.weight", from + "k_proj.weight");
    Matrix(to + "attn_v.weight", from + "v_proj.weight");
    Matrix(to + "attn_output.weight", from + "o_proj.weight");
    Norm(to + "attn_q_norm.weight", from + "q_norm.weight");
    Norm(to + "attn_k_norm.weight", from + "k_norm.weight");
  }

  void DeltaNet(const std::string& to, const std::string& from) {
    const int64_t channels = (2 * g_.key_heads * g_.key_dim) + g_.value_heads * g_.value_dim;
    const int64_t keys = 2 * g_.key_heads * g_.key_dim;
    const int64_t values = g_.value_heads * g_.value_dim;
    const auto get = [&](const char* name) { return model_.Floats(from + name); };
    const auto rows = [&](const char* name, int64_t skip, int64_t head_rows, int64_t cols) {
      return ReorderHeads(get(name), skip * cols, head_rows * cols);
    };
    if (options_.next == Next::kGrouped) {
      Put(to + "ssm_in.weight", options_.type, {channels + values, g_.hidden},
          grouped_.Floats(from + "in_proj_qkvz.weight"));
    } else {
      Put(to + "attn_qkv.weight", options_.type, {channels, g_.hidden},
          rows("in_proj_qkv.weight", keys, g_.value_dim, g_.hidden));
      Put(to + "attn_gate.weight", options_.type, {values, g_.hidden},
          rows("in_proj_z.weight", 0, g_.value_dim, g_.hidden));
    }
    if (options_.next != Next::kNo) {
      Put(to + "ssm_ba.weight", options_.type, {2 * g_.value_heads, g_.hidden},
          grouped_.Floats(from + "in_proj_ba.weight"));
    } else {
      Put(to + "ssm_alpha.weight", options_.type, {g_.value_heads, g_.hidden},
          rows("in_proj_a.weight", 0, 1, g_.hidden));
      Put(to + "ssm_beta.weight", options_.type, {g_.value_heads, g_.hidden},
          rows("in_proj_b.weight", 0, 1, g_.hidden));
    }
    Put(to + "ssm_out.weight", options_.type, {g_.hidden, values},
        ReorderColumns(get("out_proj.weight"), values));
    Put(to + "ssm_conv1d.weight", DType::kF32, {channels, 4},
        rows("conv1d.weight", keys, g_.value_dim, 4));
    Put(to + "ssm_dt.bias", DType::kF32, {g_.value_heads}, rows("dt_bias", 0, 1, 1));
    Floats a = rows("A_log", 0, 1, 1);
    for (float& v : a) v = -std::exp(v);
    Put(to + "ssm_a", DType::kF32, {g_.value_heads}, a);
    Put(to + "ssm_norm.weight", DType::kF32, {g_.value_dim}, get("norm.weight"));
  }

  void Experts(const std::string& to, const std::string& from) {
    const int64_t width = g_.expert_width;
    Put(to + "ffn_gate_inp.weight", DType::kF32, {g_.experts, g_.hidden},
        model_.Floats(from + "gate.weight"));
    const Floats both = model_.Floats(from + "experts.gate_up_proj");
    if (options_.fuse_gate_up) {
      Put(to + "ffn_gate_up_exps.weight", options_.type, {g_.experts, 2 * width, g_.hidden}, both);
    } else {
      Floats halves[2];
      const int64_t half = width * g_.hidden;
      for (int64_t i = 0; i < 2 * g_.experts; ++i) {
        halves[i % 2].insert(halves[i % 2].end(), both.begin() + i * half,
                             both.begin() + (i + 1) * half);
      }
      Put(to + "ffn_gate_exps.weight", options_.type, {g_.experts, width, g_.hidden}, halves[0]);
      Put(to + "ffn_up_exps.weight", options_.type, {g_.experts, width, g_.hidden}, halves[1]);
    }
    Put(to + "ffn_down_exps.weight", options_.type, {g_.experts, g_.hidden, width},
        model_.Floats(from + "experts.down_proj"));
    if (!recurrent_) return;
    Put(to + "ffn_gate_inp_shexp.weight", DType::kF32, {g_.hidden},
        model_.Floats(from + "shared_expert_gate.weight"));
    Matrix(to + "ffn_gate_shexp.weight", from + "shared_expert.gate_proj.weight");
    Matrix(to + "ffn_up_shexp.weight", from + "shared_expert.up_proj.weight");
    Matrix(to + "ffn_down_shexp.weight", from + "shared_expert.down_proj.weight");
  }

  // Numbers that would spoil everything, if anyone read them.
  void PredictionBlock() {
    const std::string to = fmt::format("blk.{}.", g_.layers);
    const Floats loud(static_cast<size_t>(2 * g_.hidden * g_.hidden), 1e4f);
    Put(to + "nextn.eh_proj.weight", DType::kF32, {g_.hidden, 2 * g_.hidden}, loud);
    const Floats norm(static_cast<size_t>(g_.hidden), 1e4f);
    for (const char* name : {"nextn.enorm", "nextn.hnorm", "nextn.shared_head_norm", "attn_norm"}) {
      Put(to + name + ".weight", DType::kF32, {g_.hidden}, norm);
    }
  }

  void Matrix(const std::string& to, const std::string& from) {
    Put(to, options_.type, model_.tensors.at(from).shape, model_.Floats(from));
  }

  void Norm(const std::string& to, const std::string& from) {
    Floats w = model_.Floats(from);
    if (recurrent_) {  // the families that have a delta net store w - 1
      for (float& v : w) v += 1.0f;
    }
    Put(to, DType::kF32, {static_cast<int64_t>(w.size())}, w);
  }

  void Put(const std::string& name, DType type, std::vector<int64_t> shape, const Floats& values) {
    out_.push_back({name, type, std::move(shape), Encode(type, values)});
  }

  // The value heads' runs of `head` floats, after `skip` floats: head g * r + v goes to v * Hk + g.
  Floats ReorderHeads(Floats values, int64_t skip, int64_t head) const {
    if (options_.next != Next::kNo) return values;
    const Floats old = values;
    for (int64_t k = 0; k < g_.key_heads; ++k) {
      for (int64_t v = 0; v < g_.ratio(); ++v) {
        const auto from = old.begin() + skip + (k * g_.ratio() + v) * head;
        std::copy(from, from + head, values.begin() + skip + (v * g_.key_heads + k) * head);
      }
    }
    return values;
  }

  Floats ReorderColumns(const Floats& matrix, int64_t cols) const {
    Floats out;
    for (size_t row = 0; row < matrix.size(); row += cols) {
      const Floats part(matrix.begin() + row, matrix.begin() + row + cols);
      const Floats moved = ReorderHeads(part, 0, g_.value_dim);
      out.insert(out.end(), moved.begin(), moved.end());
    }
    return out;
  }

  HubModel model_, grouped_;
  GgufOptions options_;
  Geometry g_;
  bool recurrent_ = false;
  std::string architecture_;
  std::vector<Tensor> out_;
};

}  // namespace

std::string WriteGguf(const HubModel& model, const std::string& stem, const GgufOptions& options) {
  Converter converter(model, options);
  const std::vector<Tensor> tensors = converter.Tensors();
  std::string first;
  for (int part = 0; part < options.parts; ++part) {
    GgufWriter writer;
    if (part == 0) converter.Metadata(writer);
    if (options.parts > 1) {
      writer.Add("split.no", static_cast<uint16_t>(part));
      writer.Add("split.count", static_cast<uint16_t>(options.parts));
      writer.Add("split.tensors.count", static_cast<int32_t>(tensors.size()));
    }
    const auto bound = [&](int p) { return tensors.size() * p / options.parts; };
    for (size_t i = bound(part); i < bound(part + 1); ++i) {
      writer.AddTensor(tensors[i].name, tensors[i].type, tensors[i].shape, tensors[i].bytes);
    }
    const std::string path =
        options.parts == 1 ? stem + ".gguf"
                           : fmt::format("{}-{:05}-of-{:05}.gguf", stem, part + 1, options.parts);
    const Status written = writer.WriteFile(path);
    EXPECT_TRUE(written.has_value()) << path;
    if (part == 0) first = path;
  }
  return first;
}

}  // namespace flashmoe
