// Which tokens may come next, by a grammar.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "grammar/grammar.h"
#include "text/tokenizer.h"

namespace flashmoe {

// The bytes of all tokens of a vocabulary, in the order in which masks are computed. Made once for
// a tokenizer (about a tenth of a second for 248,000 tokens), then shared by all threads.
class TokenTrie {
 public:
  // Special tokens and such without bytes are never allowed by a grammar; `stop_tokens` are,
  // exactly where it may end.
  static std::shared_ptr<const TokenTrie> Create(const Tokenizer& tokenizer,
                                                 std::span<const int32_t> stop_tokens);
  ~TokenTrie();

  int32_t vocab_size() const;
  size_t mask_words() const;  // 32 tokens each
  size_t memory_bytes() const;

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  explicit TokenTrie(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

// Where one sequence stands in its grammar. Not thread-safe; matchers of one grammar on several
// threads share what they compute.
class GrammarMatcher {
 public:
  GrammarMatcher(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const TokenTrie> trie);
  GrammarMatcher(GrammarMatcher&&) noexcept;
  GrammarMatcher& operator=(GrammarMatcher&&) noexcept;
  ~GrammarMatcher();

  // Sets bit i % 32 of word i / 32 for each token i that may come next, and clears the others.
  // Returns whether there is one. REQUIRES: bits.size() >= trie.mask_words(); words beyond become
  // 0.
  bool FillMask(std::span<uint32_t> bits);

  // Goes on by a token; false, and nothing changes, if it may not come next. After a stop token
  // nothing may.
  bool Accept(int32_t token);
  // The same for text (what a prompt already holds of the answer).
  bool AcceptBytes(std::string_view bytes);

  bool CanEnd() const;   // the text so far is whole: stop tokens are allowed
  bool MustEnd() const;  // and nothing else is: the answer is complete without a stop token

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Minus infinity for every logit whose bit is 0 or lies beyond the mask.
void MaskLogits(std::span<const uint32_t> bits, std::span<float> logits);

}  // namespace flashmoe
