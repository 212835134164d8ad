#include "grammar/token_trie.h"

#include <algorithm>
#include <numeric>

namespace flashmoe {
namespace {

using Impl = TokenTrie::Impl;

void TakeBytes(const Tokenizer& tokenizer, Impl& trie) {
  const int32_t vocab = tokenizer.vocab_size();
  const auto is_stop = [&](int32_t id) {
    return std::find(trie.stop_tokens.begin(), trie.stop_tokens.end(), id) !=
           trie.stop_tokens.end();
  };
  trie.offset.reserve(static_cast<size_t>(vocab) + 1);
  for (int32_t id = 0; id < vocab; ++id) {
    trie.offset.push_back(static_cast<uint32_t>(trie.bytes.size()));
    if (!tokenizer.IsSpecial(id) && !is_stop(id)) trie.bytes += tokenizer.Bytes(id);
  }
  trie.offset.push_back(static_cast<uint32_t>(trie.bytes.size()));
}

void SortTokens(Impl& trie) {
  for (int32_t id = 0; id < trie.vocab(); ++id) {
    if (!trie.BytesOf(id).empty()) trie.tokens.push_back(id);
  }
  std::sort(trie.tokens.begin(), trie.tokens.end(), [&](int32_t a, int32_t b) {
    const int order = trie.BytesOf(a).compare(trie.BytesOf(b));
    return order != 0 ? order < 0 : a < b;
  });
}

void AddNodes(Impl& trie) {
  std::vector<uint32_t> path;  // the nodes above
  const auto leave = [&](size_t depth) {
    while (path.size() > depth) {
      trie.nodes[path.back()].skip = static_cast<uint32_t>(trie.nodes.size());
      path.pop_back();
    }
  };
  std::string_view last;
  for (size_t i = 0; i < trie.tokens.size(); ++i) {
    const std::string_view bytes = trie.BytesOf(trie.tokens[i]);
    if (bytes == last) continue;
    const auto differs = std::mismatch(bytes.begin(), bytes.end(), last.begin(), last.end()).first;
    leave(static_cast<size_t>(differs - bytes.begin()));
    while (path.size() < bytes.size()) {
      path.push_back(static_cast<uint32_t>(trie.nodes.size()));
      // A node on the way has no tokens of its own: the next one's begin at the same place.
      trie.nodes.push_back({.tokens_begin = static_cast<uint32_t>(i),
                            .depth = static_cast<uint16_t>(path.size()),
                            .byte = static_cast<uint8_t>(bytes[path.size() - 1])});
    }
    trie.depth_max = std::max(trie.depth_max, bytes.size());
    last = bytes;
  }
  leave(0);
  const auto end = static_cast<uint32_t>(trie.nodes.size());
  trie.nodes.push_back({.skip = end, .tokens_begin = static_cast<uint32_t>(trie.tokens.size())});
}

}  // namespace

TokenTrie::TokenTrie(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
TokenTrie::~TokenTrie() = default;

std::shared_ptr<const TokenTrie> TokenTrie::Create(const Tokenizer& tokenizer,
                                                   std::span<const int32_t> stop_tokens) {
  auto impl = std::make_unique<Impl>();
  for (const int32_t token : stop_tokens) {
    if (token >= 0 && token < tokenizer.vocab_size()) impl->stop_tokens.push_back(token);
  }
  TakeBytes(tokenizer, *impl);
  SortTokens(*impl);
  AddNodes(*impl);
  return std::shared_ptr<const TokenTrie>(new TokenTrie(std::move(impl)));
}

int32_t TokenTrie::vocab_size() const { return impl_->vocab(); }
size_t TokenTrie::mask_words() const { return (static_cast<size_t>(vocab_size()) + 31) / 32; }

size_t TokenTrie::memory_bytes() const {
  return impl_->nodes.capacity() * sizeof(Impl::Node) + impl_->tokens.capacity() * 4 +
         impl_->bytes.capacity() + impl_->offset.capacity() * 4;
}

}  // namespace flashmoe
