// Holds sampling to a grammar.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/status.h"
#include "grammar/token_masks.h"

namespace flashmoe {

// For each token of an answer: Mask its logits, sample, Accept. Without a grammar, nothing happens.
class Constraint {
 public:
  Constraint(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const TokenTrie> trie);

  // Minus infinity for what may not come next; fails if nothing may.
  Status Mask(std::span<float> logits);
  // Fails if the token may not come: there was no number among the logits that were left.
  Status Accept(int32_t token);
  // The answer is complete: no token but a stop token may follow.
  bool IsComplete() const { return matcher_ && matcher_->MustEnd(); }

 private:
  std::optional<GrammarMatcher> matcher_;
  std::vector<uint32_t> mask_;
};

}  // namespace flashmoe
