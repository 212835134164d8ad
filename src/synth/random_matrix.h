// A matrix of random rows whose first columns are made apart: they act as biases where the inputs
// have the same values in these columns for every token.
#pragma once

#include <cstdint>
#include <limits>
#include <span>

#include "synth/random_rows.h"

namespace flashmoe {

struct BiasColumns {
  int64_t cols = 0;                                    // how many; of whole blocks, fewer than all
  double size = 0;                                     // of the weights there
  int64_t rows = std::numeric_limits<int64_t>::max();  // rows from here on have zeros there
  bool same = false;                                   // all rows have the same weights there
};

// As RandomRows: the bytes of a row hang on the arguments and its number alone.
class RandomMatrix {
 public:
  RandomMatrix(DType type, int64_t cols, double size, uint64_t seed, const BiasColumns& bias);

  // Rows from `first_row` on. REQUIRES: out holds whole rows.
  void Fill(int64_t first_row, std::span<std::byte> out) const;

  int64_t row_bytes() const { return rest_.row_bytes() + head_.row_bytes(); }

 private:
  BiasColumns bias_;
  RandomRows rest_, head_, zeros_;
};

}  // namespace flashmoe
