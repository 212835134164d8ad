// The geometries of published models, known without their files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/config.h"

namespace flashmoe {

// "qwen3.5-35b-a3b" and the like, smallest first.
std::vector<std::string> GeometryNames();

// As the model's config.json gives it, for a GGUF file of the family. An error lists the names.
Result<ModelConfig> GeometryByName(std::string_view name);

// The same model with fewer layers. REQUIRES: 1 <= layers <= config.layers.
ModelConfig WithLayers(ModelConfig config, int layers);

// Weights of the language model, embedding and head included.
int64_t CountParameters(const ModelConfig& config);

}  // namespace flashmoe
