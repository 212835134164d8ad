// Finds added tokens (<|im_start|> and the like) in text before anything else happens to it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
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
  // the white space beside it. None begins at the offsets `plain`, which ascend. REQUIRES: valid
  // UTF-8.
  std::vector<Span> Split(std::string_view text, std::span<const size_t> plain = {}) const;

  // Calls fn(offset, id) wherever a token's text begins, also within another's; id is -1 where the
  // text ends before that of a (longer) token does.
  template <typename Fn>
  void ForEachPlace(std::string_view text, const Fn& fn) const {
    for (size_t at = 0; at < text.size(); ++at) {
      if (!first_bytes_[static_cast<unsigned char>(text[at])]) continue;
      const Match match = Longest(text, at);
      if (match.cut_off) {
        fn(at, -1);
      } else if (match.token >= 0) {
        fn(at, tokens_[static_cast<size_t>(match.token)].id);
      }
    }
  }

 private:
  struct Token {
    int32_t id;
    bool lstrip, rstrip, single_word;
  };
  struct Node {
    int32_t token = -1;                              // index into tokens_
    std::vector<std::pair<char, int32_t>> children;  // byte, node
  };
  struct Match {
    int32_t token = -1;  // index into tokens_
    size_t end = 0;
    bool cut_off = false;  // the text ends where a longer token could go on
  };
  int32_t Child(int32_t node, char byte) const;
  // The longest token that begins at `at`.
  Match Longest(std::string_view text, size_t at) const;

  std::vector<Token> tokens_;
  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::array<bool, 256> first_bytes_{};
};

}  // namespace flashmoe
