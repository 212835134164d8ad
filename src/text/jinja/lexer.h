// Splits a template into text and the tokens between {{ }} and {% %}, with Jinja2's rules for white
// space (trim_blocks and lstrip_blocks on). Comments and raw blocks end here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace flashmoe::jinja {

enum class TokenKind {
  kData,
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,  // text: the decoded value
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;
  int line = 0;
};

// "chat_template:12", the place of errors.
std::string Where(int line);

// Always ends with a kEnd token.
Result<std::vector<Token>> Tokenize(std::string_view source);

}  // namespace flashmoe::jinja
