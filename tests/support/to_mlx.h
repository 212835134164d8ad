// A Hugging Face model as mlx-lm's converter would make it, and the same numbers unquantised.
#pragma once

#include <functional>
#include <string>

#include "tests/support/hub_model.h"

namespace flashmoe {

struct MlxOptions {
  // Of the tensor without ".weight", under its MLX name.
  std::function<int(const std::string&)> bits = [](const std::string&) { return 4; };
  int group = 64;  // or the largest smaller one that divides a row
};

struct MlxCopy {
  HubModel mlx;
  HubModel floats;  // Hugging Face layout, F32, exactly what `mlx` stands for
};

// REQUIRES: experts fused, as qwen3_5_moe_text has them.
MlxCopy MakeMlx(const HubModel& model, const MlxOptions& options);

}  // namespace flashmoe
