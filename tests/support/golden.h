// Outputs of the reference implementation for some prompts.
#pragma once

#include <string>
#include <vector>

#include "tests/support/tensor_file.h"

namespace flashmoe {

struct GoldenPrompt {
  std::string name;
  std::vector<int32_t> ids;
  std::vector<int32_t> greedy;     // the comparable tokens
  std::vector<float> logits_last;  // [vocab]
  TensorMap arrays;                // all that is stored, without the "p0."

  bool Has(const std::string& array) const { return arrays.contains(array); }
  std::vector<float> Floats(const std::string& array) const { return arrays.at(array).Floats(); }
  std::vector<int32_t> Ints(const std::string& array) const { return arrays.at(array).Ints(); }
};

// The folder `golden` of a model's folder.
std::vector<GoldenPrompt> ReadGolden(const std::string& model_folder);

}  // namespace flashmoe
