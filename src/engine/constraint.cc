#include "engine/constraint.h"

#include <utility>

namespace flashmoe {

Constraint::Constraint(std::shared_ptr<const Grammar> grammar,
                       std::shared_ptr<const TokenTrie> trie) {
  if (!grammar) return;
  mask_.resize(trie->mask_words());
  matcher_.emplace(std::move(grammar), std::move(trie));
}

Status Constraint::Mask(std::span<float> logits) {
  if (!matcher_) return {};
  if (!matcher_->FillMask(mask_)) {
    return Fail(ErrorCode::kUnsupported, "the model's vocabulary cannot spell the answer wanted",
                {}, "loosen the schema or the regular expression");
  }
  MaskLogits(mask_, logits);
  return {};
}

Status Constraint::Accept(int32_t token) {
  if (!matcher_ || matcher_->Accept(token)) return {};
  return Fail(ErrorCode::kInternal, "the model gave no probability to any token that is allowed",
              {}, "try without logit biases; the model file may be damaged");
}

}  // namespace flashmoe
