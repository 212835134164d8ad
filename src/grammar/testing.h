// For tests: small vocabularies, and texts tried against grammars.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "grammar/grammar.h"
#include "grammar/token_masks.h"
#include "text/byte_alphabet.h"
#include "text/utf8.h"

namespace flashmoe::grammar {

inline nlohmann::ordered_json ParseJson(std::string_view text) {
  return nlohmann::ordered_json::parse(text);
}

// A tokenizer with every byte (by its value), these texts as tokens, and "<stop>".
inline Tokenizer MakeTokenizer(const std::vector<std::string>& texts) {
  TokenizerSpec spec;
  for (int byte = 0; byte < 256; ++byte) {
    AppendUtf8(ByteToAlphabet(static_cast<uint8_t>(byte)), spec.tokens.emplace_back());
  }
  for (const std::string& text : texts) {
    if (text.size() == 1) continue;  // there already
    std::string& token = spec.tokens.emplace_back();
    for (const char c : text) AppendUtf8(ByteToAlphabet(static_cast<uint8_t>(c)), token);
  }
  const auto stop = static_cast<int32_t>(spec.tokens.size());
  spec.added.push_back({.id = stop, .text = "<stop>", .special = true});
  Result<Tokenizer> tokenizer = Tokenizer::Create(std::move(spec));
  if (!tokenizer.has_value()) ADD_FAILURE() << tokenizer.error().ToString();
  return std::move(*tokenizer);
}

// Its trie, with "<stop>", the last token, as stop token.
inline std::shared_ptr<const TokenTrie> MakeTrie(const Tokenizer& tokenizer) {
  return TokenTrie::Create(tokenizer, std::vector<int32_t>{tokenizer.vocab_size() - 1});
}

inline GrammarMatcher MakeMatcher(const std::shared_ptr<const Grammar>& grammar) {
  static const auto& trie = *new std::shared_ptr(MakeTrie(MakeTokenizer({})));
  return GrammarMatcher(grammar, trie);
}

// Whether the text as a whole is one of the grammar's.
inline bool Accepts(const std::shared_ptr<const Grammar>& grammar, std::string_view text) {
  GrammarMatcher matcher = MakeMatcher(grammar);
  return matcher.AcceptBytes(text) && matcher.CanEnd();
}

// Whether it is the beginning of one.
inline bool AcceptsPrefix(const std::shared_ptr<const Grammar>& grammar, std::string_view text) {
  return MakeMatcher(grammar).AcceptBytes(text);
}

}  // namespace flashmoe::grammar
