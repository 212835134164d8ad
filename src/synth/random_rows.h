// Rows of random weights in any type of a GGUF file: random bytes, with scales such that the
// weights have a given size.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "synth/random.h"
#include "tensor/dtype.h"

namespace flashmoe {

// Immutable; any number of threads may fill. The bytes of a row hang on seed and row number alone.
class RandomRows {
 public:
  // Weights of mean about 0 whose root mean square is `size`, which may be 0. REQUIRES: a type that
  // CheckGgufTypes() (model/gguf_tensors.h) accepts, `cols` of whole blocks.
  RandomRows(DType type, int64_t cols, double size, uint64_t seed);

  // Rows from `first_row` on. REQUIRES: out holds whole rows.
  void Fill(int64_t first_row, std::span<std::byte> out) const;

  int64_t row_bytes() const { return row_bytes_; }

  // Two bytes of a block that are not random, as far as `mask` has bits. A block takes the values
  // of one choice, which is random.
  static constexpr size_t kChoices = 256;
  struct Field {
    size_t offset = 0;
    uint16_t mask = 0xffff;
    std::array<uint16_t, kChoices> values = {};
  };

 private:
  double MeasureSize() const;
  void FillBlocks(Random random, std::span<std::byte> out) const;
  void FillFloats(Random random, std::span<std::byte> out) const;

  DType type_;
  int64_t row_bytes_;
  double size_;
  uint64_t seed_;
  std::vector<Field> fields_;
};

}  // namespace flashmoe
