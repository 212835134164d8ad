#include "model/geometry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <span>

#include "base/check.h"
#include "model/gguf_tensors.h"

namespace flashmoe {
namespace {

// What the members of the family differ in.
struct Row {
  std::string_view name;
  const char* architecture;
  int layers, hidden, vocab_rows;
  int64_t context;
  int heads, kv_heads, head_dim, rotary_dims;
  float rope_theta;
  int key_heads, value_heads;  // of 128 dimensions; 0: no delta net
  int experts, experts_per_token, expert_width, shared_width;
};

// clang-format off
constexpr Row kRows[] = {
    {"qwen3-30b-a3b", "qwen3moe", 48, 2048, 151936, 40960, 32, 4, 128, 128, 1e6f,
     0, 0, 128, 8, 768, 0},
    {"qwen3.5-35b-a3b", "qwen35moe", 40, 2048, 248320, 262144, 16, 2, 256, 64, 1e7f,
     16, 32, 256, 8, 512, 512},
    {"qwen3-next-80b-a3b", "qwen3next", 48, 2048, 151936, 262144, 16, 2, 256, 64, 1e7f,
     16, 32, 512, 10, 512, 512},
    {"qwen3.5-122b-a10b", "qwen35moe", 48, 3072, 248320, 262144, 32, 2, 256, 64, 1e7f,
     16, 64, 256, 8, 1024, 1024},
    {"qwen3.5-397b-a17b", "qwen35moe", 60, 4096, 248320, 262144, 32, 2, 256, 64, 1e7f,
     16, 64, 512, 10, 1024, 1024},
};
// clang-format on
constexpr int kDeltaDim = 128;

ModelConfig MakeConfig(const Row& row) {
  ModelConfig c;
  c.architecture = row.architecture;
  c.name = row.name;
  c.layers = row.layers;
  c.hidden = row.hidden;
  c.vocab_rows = row.vocab_rows;
  c.context_max = row.context;
  c.heads = row.heads;
  c.kv_heads = row.kv_heads;
  c.head_dim = row.head_dim;
  c.rotary_dims = row.rotary_dims;
  c.rope_theta = row.rope_theta;
  const bool recurrent = row.value_heads > 0;
  c.output_gate = recurrent;
  c.key_heads = row.key_heads;
  c.value_heads = row.value_heads;
  c.key_dim = c.value_dim = recurrent ? kDeltaDim : 0;
  c.value_heads_tiled = c.architecture == "qwen35moe";
  c.experts = row.experts;
  c.experts_per_token = row.experts_per_token;
  c.expert_width = row.expert_width;
  c.shared_expert_width = row.shared_width;
  for (int layer = 0; layer < c.layers; ++layer) {
    const bool attention = !recurrent || (layer + 1) % kAttentionInterval == 0;
    c.layer_kinds.push_back(attention ? LayerKind::kAttention : LayerKind::kDeltaNet);
  }
  return c;
}

}  // namespace

std::vector<std::string> GeometryNames() {
  std::vector<std::string> names;
  for (const Row& row : kRows) names.emplace_back(row.name);
  return names;
}

Result<ModelConfig> GeometryByName(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return MakeConfig(row);
  }
  return Fail(ErrorCode::kNotFound, fmt::format("there is no geometry '{}'", name), {},
              fmt::format("known are {}", fmt::join(GeometryNames(), ", ")));
}

ModelConfig WithLayers(ModelConfig config, int layers) {
  FM_CHECK(layers >= 1 && layers <= config.layers);
  config.layers = layers;
  config.layer_kinds.resize(static_cast<size_t>(layers));
  return config;
}

int64_t CountParameters(const ModelConfig& config) {
  int64_t total = 0;
  for (const TensorSpec& tensor : ListGgufTensors(config)) {
    int64_t elements = 1;
    for (const int64_t dimension : tensor.shape) elements *= dimension;
    total += elements;
  }
  return total;
}

}  // namespace flashmoe
