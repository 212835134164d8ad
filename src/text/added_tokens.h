// Finds added tokens (<|im_start|> and the like) in text before anything else happens to it.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "text/tokenizer.h"

namespace flashmoe {

class AddedTokenMatcher {
 public:
  // Longer texts are refused by Tokenizer::Create; bounds the work at each place of a text.
  static constexpr size_t kTextBytesMax = 1024;

  struct Span {
    int32_t id = -1;  // -1: plain text
    size_t begin = 0, end = 0;
  };

  // REQUIRES: !token.text.empty(). Of two tokens with one text the first counts.
  void Add(const TokenizerSpec::Added& token);
  bool empty() const { return tokens_.empty(); }

  // Tokens are found from left to right, the longest at each place; then, as the reference does it:
  // `single_word` drops a token that touches a word character, `lstrip` and `rstrip` let it swallow
  // the white space beside it. REQUIRES: valid UTF-8.
  std::vector<Span> Split(std::string_view text) const;

 private:
  struct Token {
    int32_t id;
    bool lstrip, rstrip, single_word;
  };
  struct Node {
    int32_t token = -1;                              // index into tokens_
    std::vector<std::pair<char, int32_t>> children;  // byte, node
  };
  int32_t Child(int32_t node, char byte) const;
  // The token that begins at `at`: its index and where it ends; -1 if there is none.
  std::pair<int32_t, size_t> Longest(std::string_view text, size_t at) const;

  std::vector<Token> tokens_;
  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::array<bool, 256> first_bytes_{};
};

}  // namespace flashmoe
