// Writes safetensors files, all of whose tensors are in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace flashmoe {

class SafetensorsWriter {
 public:
  // `dtype` as in the file: "BF16", "U32". Nothing is checked: tests write bad files too.
  void AddTensor(std::string_view name, std::string_view dtype, const std::vector<int64_t>& shape,
                 std::span<const std::byte> bytes);

  // The file in memory.
  std::string ToString() const;
  Status WriteFile(const std::string& path) const;

 private:
  std::string Header() const;

  std::string entries_;  // of the JSON header, without the outer braces
  std::string data_;
};

}  // namespace flashmoe
