// A safetensors file in memory, for tests: golden outputs and the weights that model copies are
// made from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flashmoe {

struct StoredTensor {
  std::string dtype;  // as safetensors names it: "BF16"
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;

  int64_t elements() const;
  std::vector<float> Floats() const;  // BF16, F16 and F32
  std::vector<int32_t> Ints() const;  // I32

  static StoredTensor FromFloats(std::vector<int64_t> shape, std::span<const float> values,
                                 std::string_view dtype = "F32");
};

using TensorMap = std::map<std::string, StoredTensor>;

// Fails the running test and returns nothing if the file cannot be read.
TensorMap ReadTensors(const std::string& path);

}  // namespace flashmoe
