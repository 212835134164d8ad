// A Hugging Face model folder in memory, and the ways in which published folders differ.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/tensor_file.h"

namespace flashmoe {

// Geometry that copies of a model need, under the names config.json gives it.
struct Geometry {
  int64_t layers = 0, hidden = 0, experts = 0, expert_width = 0;
  int64_t key_heads = 0, value_heads = 0, key_dim = 0, value_dim = 0;

  int64_t ratio() const { return value_heads / key_heads; }
};

struct HubModel {
  nlohmann::ordered_json config;
  TensorMap tensors;
  std::string folder;  // that tokenizer and template files are copied from

  static HubModel Load(const std::string& folder);
  // With tokenizer files. `shards` > 1: with an index.
  void Write(const std::string& to, int shards = 1) const;

  Geometry geometry() const;
  bool has_delta_net() const { return config.contains("linear_num_key_heads"); }
  StoredTensor Take(const std::string& name);  // removes it; fails the test if it is missing
  std::vector<float> Floats(const std::string& name) const;
};

// Rows [first, first + rows) of each of `stack`'s matrices, or of the matrix itself, as a tensor of
// the same type.
StoredTensor SliceRows(const StoredTensor& matrix, int64_t first, int64_t rows);
// The matrices one below the other.
StoredTensor ConcatRows(const std::vector<StoredTensor>& parts);

// experts.gate_up_proj [E, 2I, H] and experts.down_proj to experts.0.gate_proj.weight and so on.
HubModel SplitExperts(HubModel model);
// The other way.
HubModel FuseExperts(HubModel model);
// qwen3_5_moe_text as qwen3_next: in_proj_qkvz and in_proj_ba, grouped by key head; experts split.
HubModel AsQwen3Next(HubModel model);
// Text fields under text_config, tensors under model.language_model, as multimodal models have it.
HubModel Nest(HubModel model);
// Adds an mtp block with numbers that would spoil everything.
HubModel AddPredictionBlock(HubModel model);
// Every tensor in F32.
HubModel WithFloats(HubModel model);

}  // namespace flashmoe
