#include "tests/support/golden.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace flashmoe {

std::vector<GoldenPrompt> ReadGolden(const std::string& model_folder) {
  std::ifstream file(model_folder + "/golden/manifest.json");
  EXPECT_TRUE(file.good()) << model_folder;
  const auto manifest = nlohmann::json::parse(file);
  TensorMap all = ReadTensors(model_folder + "/golden/golden.safetensors");
  std::vector<GoldenPrompt> prompts;
  for (const auto& entry : manifest["prompts"]) {
    GoldenPrompt prompt;
    prompt.name = entry["name"];
    const std::string prefix = fmt::format("p{}.", entry["index"].get<int>());
    for (auto& [name, tensor] : all) {
      if (name.starts_with(prefix)) prompt.arrays[name.substr(prefix.size())] = std::move(tensor);
    }
    prompt.ids = prompt.Ints("ids");
    prompt.logits_last = prompt.Floats("logits_last");
    prompt.greedy = prompt.Ints("greedy");
    prompt.greedy.resize(entry["greedy_tokens_before_first_margin_below_0.01"].get<size_t>());
    prompts.push_back(std::move(prompt));
  }
  EXPECT_FALSE(prompts.empty());
  return prompts;
}

}  // namespace flashmoe
