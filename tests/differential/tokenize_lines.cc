// tokenize_lines TOKENIZER.json: for each line of stdin, a JSON string, prints one JSON object:
// {"ids": its tokens, "text": these decoded without special tokens}.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "text/tokenizer.h"

namespace flashmoe {
namespace {

Result<Tokenizer> Load(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Fail(ErrorCode::kIo, "cannot be opened", path);
  const std::string json((std::istreambuf_iterator<char>(file)), {});
  FM_ASSIGN_OR_RETURN(TokenizerSpec spec, ParseTokenizerJson(json));
  return Tokenizer::Create(std::move(spec));
}

int Run(const char* path) {
  const Result<Tokenizer> tokenizer = Load(path);
  if (!tokenizer.has_value()) {
    std::cerr << tokenizer.error().ToString() << "\n";
    return 1;
  }
  std::string line;
  while (std::getline(std::cin, line)) {
    const auto text = nlohmann::json::parse(line, nullptr, false);
    if (!text.is_string()) {
      std::cerr << "not a JSON string: " << line << "\n";
      return 1;
    }
    const auto ids = tokenizer->Encode(text.get_ref<const std::string&>());
    std::cout << nlohmann::json{{"ids", ids}, {"text", tokenizer->Decode(ids, true)}} << "\n";
  }
  return 0;
}

}  // namespace
}  // namespace flashmoe

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: tokenize_lines TOKENIZER.json < lines of JSON strings\n", stderr);
    return 2;
  }
  return flashmoe::Run(argv[1]);
}
