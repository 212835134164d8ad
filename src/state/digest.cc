#include "state/digest.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace flashmoe {
namespace {

Digest FromXxh(XXH128_hash_t hash) { return {hash.low64, hash.high64}; }

}  // namespace

Digest DigestOf(std::span<const std::byte> bytes) {
  return FromXxh(XXH3_128bits(bytes.data(), bytes.size()));
}

Digest DigestOf(std::span<const std::span<const std::byte>> pieces) {
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  for (const auto piece : pieces) XXH3_128bits_update(&state, piece.data(), piece.size());
  return FromXxh(XXH3_128bits_digest(&state));
}

struct PrefixKeys::Hash {
  XXH3_state_t state;
};

PrefixKeys::PrefixKeys(std::span<const int32_t> tokens)
    : tokens_(tokens), hash_(std::make_unique<Hash>()) {
  XXH3_128bits_reset(&hash_->state);
}

PrefixKeys::~PrefixKeys() = default;

Digest PrefixKeys::At(int64_t length) {
  const auto fresh = std::as_bytes(
      tokens_.subspan(static_cast<size_t>(done_), static_cast<size_t>(length - done_)));
  XXH3_128bits_update(&hash_->state, fresh.data(), fresh.size());
  done_ = length;
  return FromXxh(XXH3_128bits_digest(&hash_->state));
}

}  // namespace flashmoe
