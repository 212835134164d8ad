#include "tests/support/hub_model.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "format/safetensors_writer.h"

namespace flashmoe {
namespace {

using Json = nlohmann::ordered_json;

std::string LayerPrefix(int64_t layer) { return fmt::format("model.layers.{}.", layer); }

void WriteJson(const Json& json, const std::string& path) { std::ofstream(path) << json.dump(2); }

}  // namespace

HubModel HubModel::Load(const std::string& folder) {
  HubModel model;
  model.folder = folder;
  std::ifstream config(folder + "/config.json");
  EXPECT_TRUE(config.good()) << folder;
  model.config = Json::parse(config);
  model.tensors = ReadTensors(folder + "/model.safetensors");
  return model;
}

void HubModel::Write(const std::string& to, int shards) const {
  namespace fs = std::filesystem;
  fs::create_directories(to);
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "generation_config.json",
                           "chat_template.jinja"}) {
    fs::copy_file(folder + "/" + name, to + "/" + name, fs::copy_options::overwrite_existing);
  }
  WriteJson(config, to + "/config.json");

  std::vector<SafetensorsWriter> writers(shards);
  Json index = {{"metadata", Json::object()}, {"weight_map", Json::object()}};
  const auto name_of = [&](int shard) {
    return shards == 1 ? std::string("model.safetensors")
                       : fmt::format("model-{:05}-of-{:05}.safetensors", shard + 1, shards);
  };
  int next = 0;
  for (const auto& [name, tensor] : tensors) {
    writers[next].AddTensor(name, tensor.dtype, tensor.shape, tensor.bytes);
    index["weight_map"][name] = name_of(next);
    next = (next + 1) % shards;
  }
  for (int i = 0; i < shards; ++i) {
    const Status written = writers[i].WriteFile(to + "/" + name_of(i));
    EXPECT_TRUE(written.has_value()) << to;
  }
  if (shards > 1) WriteJson(index, to + "/model.safetensors.index.json");
}

Geometry HubModel::geometry() const {
  const auto get = [&](const char* key) { return config.value(key, int64_t{0}); };
  Geometry g;
  g.layers = get("num_hidden_layers");
  g.hidden = get("hidden_size");
  g.experts = get("num_experts");
  g.expert_width = get("moe_intermediate_size");
  g.key_heads = get("linear_num_key_heads");
  g.value_heads = get("linear_num_value_heads");
  g.key_dim = get("linear_key_head_dim");
  g.value_dim = get("linear_value_head_dim");
  return g;
}

StoredTensor HubModel::Take(const std::string& name) {
  const auto it = tensors.find(name);
  if (it == tensors.end()) {
    ADD_FAILURE() << name << " is missing in " << folder;
    return {};
  }
  StoredTensor tensor = std::move(it->second);
  tensors.erase(it);
  return tensor;
}

std::vector<float> HubModel::Floats(const std::string& name) const {
  const auto it = tensors.find(name);
  if (it != tensors.end()) return it->second.Floats();
  ADD_FAILURE() << name << " is missing in " << folder;
  return {};
}

StoredTensor SliceRows(const StoredTensor& matrix, int64_t first, int64_t rows) {
  const auto all = matrix.elements() / matrix.shape.back();
  const auto row_bytes = static_cast<int64_t>(matrix.bytes.size()) / all;
  StoredTensor out{matrix.dtype, {rows, matrix.shape.back()}, {}};
  const auto begin = matrix.bytes.begin() + first * row_bytes;
  out.bytes.assign(begin, begin + rows * row_bytes);
  return out;
}

StoredTensor ConcatRows(const std::vector<StoredTensor>& parts) {
  StoredTensor out{parts.front().dtype, {0, parts.front().shape.back()}, {}};
  for (const StoredTensor& part : parts) {
    out.shape[0] += part.elements() / part.shape.back();
    out.bytes.insert(out.bytes.end(), part.bytes.begin(), part.bytes.end());
  }
  return out;
}

HubModel SplitExperts(HubModel model) {
  const Geometry g = model.geometry();
  const int64_t width = g.expert_width;
  for (int64_t layer = 0; layer < g.layers; ++layer) {
    const std::string p = LayerPrefix(layer) + "mlp.experts.";
    const StoredTensor gate_up = model.Take(p + "gate_up_proj");
    const StoredTensor down = model.Take(p + "down_proj");
    for (int64_t e = 0; e < g.experts; ++e) {
      const auto name = [&](const char* part) { return fmt::format("{}{}.{}.weight", p, e, part); };
      model.tensors[name("gate_proj")] = SliceRows(gate_up, 2 * e * width, width);
      model.tensors[name("up_proj")] = SliceRows(gate_up, (2 * e + 1) * width, width);
      model.tensors[name("down_proj")] = SliceRows(down, e * g.hidden, g.hidden);
    }
  }
  return model;
}

HubModel FuseExperts(HubModel model) {
  const Geometry g = model.geometry();
  for (int64_t layer = 0; layer < g.layers; ++layer) {
    const std::string p = LayerPrefix(layer) + "mlp.experts.";
    std::vector<StoredTensor> gate_up, down;
    for (int64_t e = 0; e < g.experts; ++e) {
      const auto take = [&](const char* part) {
        return model.Take(fmt::format("{}{}.{}.weight", p, e, part));
      };
      gate_up.push_back(take("gate_proj"));
      gate_up.push_back(take("up_proj"));
      down.push_back(take("down_proj"));
    }
    StoredTensor& both = model.tensors[p + "gate_up_proj"] = ConcatRows(gate_up);
    both.shape = {g.experts, 2 * g.expert_width, g.hidden};
    StoredTensor& stack = model.tensors[p + "down_proj"] = ConcatRows(down);
    stack.shape = {g.experts, g.hidden, g.expert_width};
  }
  return model;
}

HubModel AsQwen3Next(HubModel model) {
  model = SplitExperts(std::move(model));
  const Geometry g = model.geometry();
  const int64_t keys = g.key_heads * g.key_dim;
  const int64_t group = g.ratio() * g.value_dim;  // rows of v, and of z, that a key head serves
  for (int64_t layer = 0; layer < g.layers; ++layer) {
    const std::string p = LayerPrefix(layer) + "linear_attn.";
    if (!model.tensors.contains(p + "in_proj_qkv.weight")) continue;
    const StoredTensor qkv = model.Take(p + "in_proj_qkv.weight");
    const StoredTensor z = model.Take(p + "in_proj_z.weight");
    const StoredTensor a = model.Take(p + "in_proj_a.weight");
    const StoredTensor b = model.Take(p + "in_proj_b.weight");
    std::vector<StoredTensor> wide, narrow;
    for (int64_t k = 0; k < g.key_heads; ++k) {
      wide.push_back(SliceRows(qkv, k * g.key_dim, g.key_dim));
      wide.push_back(SliceRows(qkv, keys + k * g.key_dim, g.key_dim));
      wide.push_back(SliceRows(qkv, 2 * keys + k * group, group));
      wide.push_back(SliceRows(z, k * group, group));
      narrow.push_back(SliceRows(b, k * g.ratio(), g.ratio()));
      narrow.push_back(SliceRows(a, k * g.ratio(), g.ratio()));
    }
    model.tensors[p + "in_proj_qkvz.weight"] = ConcatRows(wide);
    model.tensors[p + "in_proj_ba.weight"] = ConcatRows(narrow);
  }
  // The keys that Qwen3-Next has in place of rope_parameters and layer_types.
  const Json rope = model.config["rope_parameters"];
  model.config["model_type"] = "qwen3_next";
  model.config["rope_theta"] = rope["rope_theta"];
  model.config["partial_rotary_factor"] = rope["partial_rotary_factor"];
  model.config["rope_scaling"] = nullptr;
  model.config["norm_topk_prob"] = true;
  model.config.erase("rope_parameters");
  model.config.erase("layer_types");
  return model;
}

HubModel Nest(HubModel model) {
  Json outer = {{"model_type", "qwen3_5_moe"}, {"vision_config", Json{{"depth", 27}}}};
  outer["text_config"] = model.config;
  TensorMap renamed;
  for (auto& [name, tensor] : model.tensors) {
    const bool inner = name.starts_with("model.");
    renamed[inner ? "model.language_model." + name.substr(6) : name] = std::move(tensor);
  }
  const std::vector<float> pixel(8, 1.0f);
  renamed["model.visual.patch_embed.proj.weight"] = StoredTensor::FromFloats({8}, pixel);
  model.tensors = std::move(renamed);
  model.config = std::move(outer);
  return model;
}

HubModel AddPredictionBlock(HubModel model) {
  const Geometry g = model.geometry();
  const std::vector<float> loud(static_cast<size_t>(2 * g.hidden * g.hidden), 1e4f);
  const auto add = [&](const std::string& name, std::vector<int64_t> shape) {
    StoredTensor tensor{"F32", std::move(shape), {}};
    const auto count = static_cast<size_t>(tensor.elements());
    model.tensors[name] = StoredTensor::FromFloats(tensor.shape, std::span(loud).first(count));
  };
  add("mtp.fc.weight", {g.hidden, 2 * g.hidden});
  for (const char* norm :
       {"mtp.norm", "mtp.pre_fc_norm_embedding", "mtp.pre_fc_norm_hidden",
        "mtp.layers.0.input_layernorm", "mtp.layers.0.post_attention_layernorm"}) {
    add(std::string(norm) + ".weight", {g.hidden});
  }
  add("mtp.layers.0.mlp.gate.weight", {g.experts, g.hidden});
  model.config["mtp_num_hidden_layers"] = 1;
  return model;
}

HubModel WithFloats(HubModel model) {
  for (auto& [name, tensor] : model.tensors) {
    tensor = StoredTensor::FromFloats(tensor.shape, tensor.Floats());
  }
  return model;
}

}  // namespace flashmoe
