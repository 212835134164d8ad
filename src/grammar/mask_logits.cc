#include <algorithm>
#include <limits>

#include "grammar/token_masks.h"

namespace flashmoe {

void MaskLogits(std::span<const uint32_t> bits, std::span<float> logits) {
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  const size_t covered = std::min(logits.size(), bits.size() * 32);
  for (size_t i = 0; i < covered; ++i) {
    if ((bits[i / 32] >> (i % 32) & 1) == 0) logits[i] = kNever;
  }
  std::fill(logits.begin() + static_cast<ptrdiff_t>(covered), logits.end(), kNever);
}

}  // namespace flashmoe
