// The parser's view of the tokens: the current one and the next.
#pragma once

#include <fmt/format.h>

#include <vector>

#include "text/jinja/lexer.h"

namespace flashmoe::jinja {

class TokenStream {
 public:
  // REQUIRES: the last token is kEnd.
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& current() const { return tokens_[pos_]; }
  const Token& next() const { return tokens_[pos_ + 1 < tokens_.size() ? pos_ + 1 : pos_]; }
  int line() const { return current().line; }
  bool Is(TokenKind kind) const { return current().kind == kind; }
  bool IsOperator(std::string_view op) const {
    return Is(TokenKind::kOperator) && current().text == op;
  }
  bool IsName(std::string_view name) const {
    return Is(TokenKind::kName) && current().text == name;
  }
  void Advance() {
    if (pos_ + 1 < tokens_.size()) ++pos_;
  }
  bool TakeOperator(std::string_view op) {
    if (!IsOperator(op)) return false;
    Advance();
    return true;
  }
  bool TakeName(std::string_view name) {
    if (!IsName(name)) return false;
    Advance();
    return true;
  }

  Status ExpectOperator(std::string_view op) {
    if (!TakeOperator(op)) return Unexpected(fmt::format("'{}'", op));
    return {};
  }
  Result<std::string> ExpectName() {
    if (!Is(TokenKind::kName)) return Unexpected("a name");
    std::string name = current().text;
    Advance();
    return name;
  }
  Status ExpectBlockEnd() {
    if (!Is(TokenKind::kBlockEnd)) return Unexpected("the end of the tag");
    Advance();
    return {};
  }

  std::unexpected<Error> Unexpected(std::string_view expected) const {
    return Bad(fmt::format("expected {}, got {}", expected, Describe()));
  }
  std::unexpected<Error> Bad(std::string what) const {
    return InvalidInput(std::move(what), Where(line()));
  }

 private:
  std::string Describe() const {
    switch (current().kind) {
      case TokenKind::kEnd:
        return "the end of the template";
      case TokenKind::kBlockEnd:
        return "the end of the tag";
      case TokenKind::kVariableEnd:
        return "'}}'";
      case TokenKind::kString:
        return "a string";
      default:
        return fmt::format("'{}'", current().text.substr(0, 100));
    }
  }

  std::vector<Token> tokens_;
  size_t pos_ = 0;
};

}  // namespace flashmoe::jinja
