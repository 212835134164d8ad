// Byte pair encoding of one piece of text: from single bytes, the adjacent pair that merges best
// (lowest rank; leftmost among equals) merges, until none does.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace flashmoe {

// (left, right) -> (rank, merged token); an open-addressing table.
class MergeTable {
 public:
  struct Merge {
    int32_t rank = -1;  // -1: the pair does not merge
    int32_t token = -1;
  };

  // For at most `count` pairs.
  explicit MergeTable(size_t count);

  // A pair given twice has the later rank, as in the reference. REQUIRES: all >= 0.
  void Set(int32_t left, int32_t right, Merge merge);
  Merge Find(int32_t left, int32_t right) const;

 private:
  struct Slot {
    uint64_t pair = 0;
    Merge merge;
  };
  size_t Place(uint64_t pair) const;
  std::vector<Slot> slots_;
};

class Bpe {
 public:
  // `byte_tokens`: the token of each byte, -1 where the vocabulary has none; such bytes are left
  // out of the result.
  Bpe(const std::array<int32_t, 256>& byte_tokens, MergeTable merges)
      : byte_tokens_(byte_tokens), merges_(std::move(merges)) {}

  // Appends the piece's tokens to `out`; n log n in its length.
  void Encode(std::string_view piece, std::vector<int32_t>& out) const;

 private:
  void MergeShort(std::vector<int32_t>& out, size_t begin) const;
  void MergeLong(std::vector<int32_t>& out, size_t begin) const;

  std::array<int32_t, 256> byte_tokens_;
  MergeTable merges_;
};

}  // namespace flashmoe
