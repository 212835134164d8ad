// A weight matrix in its file format, wherever its bytes lie. Views own nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace flashmoe {

// Row r begins at data + r * row_bytes. No alignment may be assumed: an expert is computed from
// the slot that the disk wrote. MLX types: w = scale * q + bias per group of `group` elements; row
// r's scales begin at scales + r * (cols / group) * (bytes of scale_type), biases alike.
struct Matrix {
  DType type = DType::kF32;
  int64_t rows = 0;  // outputs
  int64_t cols = 0;  // inputs
  const std::byte* data = nullptr;
  int64_t row_bytes = 0;

  const std::byte* scales = nullptr;  // MLX only
  const std::byte* biases = nullptr;  // MLX only
  int32_t group = 0;                  // MLX only: 32, 64 or 128
  DType scale_type = DType::kBF16;    // MLX only: kBF16, kF16 or kF32
};

// Rows [begin, begin + rows) of `m`.
Matrix SliceRows(const Matrix& m, int64_t begin, int64_t rows);

}  // namespace flashmoe
