// The text that models are timed on: each next token is the text's and not one that was chosen, so
// that every engine, budget and run routes alike.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"

namespace flashmoe {

class FixedText {
 public:
  // REQUIRES: not empty.
  explicit FixedText(std::vector<int32_t> ids);

  // `count` tokens from `first` on; what lies behind the end begins again at the front.
  std::vector<int32_t> Slice(int64_t first, int64_t count) const;
  int64_t size() const { return static_cast<int64_t>(ids_.size()); }

 private:
  std::vector<int32_t> ids_;
};

}  // namespace flashmoe
