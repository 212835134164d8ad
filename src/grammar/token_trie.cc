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
    const size_t bytes = trie.BytesOf(id).size();
    if (bytes == 0) continue;
    (bytes <= Impl::kShortBytes ? trie.short_tokens : trie.long_tokens).tokens.push_back(id);
  }
  for (Impl::Part* part : {&trie.short_tokens, &trie.long_tokens}) {
    std::sort(part->tokens.begin(), part->tokens.end(), [&](int32_t a, int32_t b) {
      const int order = trie.BytesOf(a).compare(trie.BytesOf(b));
      return order != 0 ? order < 0 : a < b;
    });
  }
}

void AddNodes(const Impl& trie, Impl::Part& part) {
  std::vector<uint32_t> path;  // the nodes above
  const auto leave = [&](size_t depth) {
    while (path.size() > depth) {
      part.nodes[path.back()].skip = static_cast<uint32_t>(part.nodes.size());
      path.pop_back();
    }
  };
  std::string_view last;
  for (size_t i = 0; i < part.tokens.size(); ++i) {
    const std::string_view bytes = trie.BytesOf(part.tokens[i]);
    if (bytes == last) continue;
    const auto differs = std::mismatch(bytes.begin(), bytes.end(), last.begin(), last.end()).first;
    leave(static_cast<size_t>(differs - bytes.begin()));
    while (path.size() < bytes.size()) {
      path.push_back(static_cast<uint32_t>(part.nodes.size()));
      // A node on the way has no tokens of its own: the next one's begin at the same place.
      part.nodes.push_back({.tokens_begin = static_cast<uint32_t>(i),
                            .depth = static_cast<uint16_t>(path.size()),
                            .byte = static_cast<uint8_t>(bytes[path.size() - 1])});
    }
    part.depth_max = std::max(part.depth_max, bytes.size());
    last = bytes;
  }
  leave(0);
  const auto end = static_cast<uint32_t>(part.nodes.size());
  part.nodes.push_back({.skip = end, .tokens_begin = static_cast<uint32_t>(part.tokens.size())});
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
  for (Impl::Part* part : {&impl->short_tokens, &impl->long_tokens}) AddNodes(*impl, *part);
  return std::shared_ptr<const TokenTrie>(new TokenTrie(std::move(impl)));
}

int32_t TokenTrie::vocab_size() const { return impl_->vocab(); }
size_t TokenTrie::mask_words() const { return (static_cast<size_t>(vocab_size()) + 31) / 32; }

size_t TokenTrie::memory_bytes() const {
  size_t bytes = impl_->bytes.capacity() + impl_->offset.capacity() * 4;
  for (const Impl::Part* part : {&impl_->short_tokens, &impl_->long_tokens}) {
    bytes += part->nodes.capacity() * sizeof(Impl::Node) + part->tokens.capacity() * 4;
  }
  return bytes;
}

}  // namespace flashmoe
