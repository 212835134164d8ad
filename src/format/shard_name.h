// How files of a set are called: "name-00002-of-00005.gguf", and the same for safetensors.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace flashmoe {

struct ShardName {
  std::string prefix;  // "name"
  int number = 0;      // from 1
  int count = 0;
  std::string suffix;  // ".gguf"
};

// Nothing if `file_name` is not of that form, with `suffix` at its end and 1 <= number <= count.
std::optional<ShardName> ParseShardName(std::string_view file_name, std::string_view suffix);
std::string MakeShardName(const ShardName& name);

}  // namespace flashmoe
