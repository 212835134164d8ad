#include <algorithm>
#include <limits>

#include "grammar/token_masks.h"

namespace flashmoe {

void MaskLogits(std::span<const uint32_t> bits, std::span<float> logits) {
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  const size_t words = std::min((logits.size() + 31) / 32, bits.size());
  for (size_t w = 0; w < words; ++w) {
    if (bits[w] == ~uint32_t{0}) continue;
    float* const part = logits.data() + w * 32;
    const size_t count = std::min<size_t>(32, logits.size() - w * 32);
    for (size_t i = 0; i < count; ++i) part[i] = (bits[w] >> i & 1) != 0 ? part[i] : kNever;
  }
  const size_t covered = std::min(logits.size(), words * 32);
  std::fill(logits.begin() + static_cast<ptrdiff_t>(covered), logits.end(), kNever);
}

}  // namespace flashmoe
