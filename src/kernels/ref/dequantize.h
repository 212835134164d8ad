// Weights of any type as floats: the definition that every fast kernel is compared with, and what
// types without one run through.
#pragma once

#include <cstdint>

#include "tensor/matrix.h"

namespace flashmoe::ref {

// Every block size divides this, so a row can be taken in pieces of it (the last may be shorter).
inline constexpr int64_t kPieceElements = 256;

// Elements [begin, begin + count) of row `row`.
// REQUIRES: begin and count are multiples of the type's block_elements, and lie within the row.
void DequantizeSpan(const Matrix& w, int64_t row, int64_t begin, int64_t count, float* out);

// The whole row: w.cols floats.
void DequantizeRow(const Matrix& w, int64_t row, float* out);

}  // namespace flashmoe::ref
