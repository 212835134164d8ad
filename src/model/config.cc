#include "model/config.h"

#include <fmt/format.h>

#include <algorithm>

namespace flashmoe {

int32_t ModelConfig::CountLayers(LayerKind kind) const {
  return static_cast<int32_t>(std::count(layer_kinds.begin(), layer_kinds.end(), kind));
}

std::string SupportedArchitectures() {
  return "qwen35moe (Qwen3.5, 3.6, 3.8 MoE), qwen3next (Qwen3-Next, Coder-Next), "
         "qwen3moe (Qwen3-MoE)";
}

Result<ModelConfig> ReadConfig(const ModelFile& file) {
  auto config = file.container() == Container::kGguf ? ReadGgufConfig(file.metadata())
                                                     : ReadHfConfig(file.metadata());
  if (!config.has_value() && config.error().where.empty()) config.error().where = file.path();
  return config;
}

}  // namespace flashmoe
