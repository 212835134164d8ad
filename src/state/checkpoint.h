// A part of what a model remembers of a sequence: the keys and values of positions [begin, end) and
// the recurrent state after them. With the parts before it, it is all there is to know at `end`.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace flashmoe {

// 128 bits that stand for something longer.
struct Digest {
  uint64_t low = 0, high = 0;
  auto operator<=>(const Digest&) const = default;
};

struct DigestHash {
  size_t operator()(const Digest& digest) const { return digest.low; }
};

struct Checkpoint {
  Digest key;     // of all tokens before `end`, see PrefixKeys
  Digest parent;  // of all tokens before `begin`; zero at the start of a sequence
  int64_t begin = 0, end = 0;
  std::vector<int32_t> tokens;       // [end - begin]
  std::vector<std::byte> positions;  // SequenceState::CopyPositions()
  std::vector<std::byte>
      recurrent;  // SequenceState::CopyRecurrent(); empty: cannot be resumed here

  uint64_t bytes() const {
    return tokens.size() * sizeof(int32_t) + positions.size() + recurrent.size();
  }
};

// Keys of the beginnings of a text, at growing lengths.
class PrefixKeys {
 public:
  explicit PrefixKeys(std::span<const int32_t> tokens);
  ~PrefixKeys();
  PrefixKeys(const PrefixKeys&) = delete;
  PrefixKeys& operator=(const PrefixKeys&) = delete;

  // REQUIRES: no shorter than before, within the text.
  Digest At(int64_t length);

 private:
  std::span<const int32_t> tokens_;
  int64_t done_ = 0;
  struct Hash;
  std::unique_ptr<Hash> hash_;
};

}  // namespace flashmoe
