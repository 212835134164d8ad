// The inside of a TokenTrie (token_masks.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/token_masks.h"

namespace flashmoe {

// Nodes in the order of a walk that visits a node before its children: a walk is one pass over an
// array, and what begins with a rejected byte is skipped by a jump.
struct TokenTrie::Impl {
  // Longer tokens are few. They have a trie of their own, so that what is known of a state's next
  // bytes up to this many decides all the others (state_classes.h).
  static constexpr size_t kShortBytes = 16;

  struct Node {
    uint32_t skip = 0;          // the first node that does not lie below this one
    uint32_t tokens_begin = 0;  // in `tokens`; they end where the next node's begin
    uint16_t depth = 0;         // bytes from the root, this one's included
    uint8_t byte = 0;
  };
  struct Part {
    std::vector<Node> nodes;      // without the root; one more at the end
    std::vector<int32_t> tokens;  // sorted by their bytes
    size_t depth_max = 0;

    uint32_t size() const { return static_cast<uint32_t>(nodes.size()) - 1; }
  };
  Part short_tokens, long_tokens;
  std::string bytes;             // of all tokens, by id
  std::vector<uint32_t> offset;  // [vocab + 1] into `bytes`
  std::vector<int32_t> stop_tokens;

  int32_t vocab() const { return static_cast<int32_t>(offset.size()) - 1; }
  // Empty: no token, or one that no text contains.
  std::string_view BytesOf(int32_t token) const {
    const auto i = static_cast<size_t>(token);
    return std::string_view(bytes).substr(offset[i], offset[i + 1] - offset[i]);
  }
};

}  // namespace flashmoe
