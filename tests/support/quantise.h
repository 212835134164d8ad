// Floats to the bytes of model files. Simple rounding to the nearest, no search for better scales.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tensor/dtype.h"

namespace flashmoe {

// Rows of `cols` as F32, F16, BF16, Q8_0 or Q4_0. REQUIRES: rows of whole blocks.
std::vector<std::byte> Encode(DType type, std::span<const float> values);

// Affine quantisation as MLX has it: w = scale * q + bias per group, scale and bias in BF16.
struct MlxMatrix {
  std::vector<std::byte> packed, scales, biases;
  std::vector<float> values;  // what the matrix now stands for
};
// REQUIRES: values.size() % group == 0; group * bits a multiple of 32.
MlxMatrix EncodeMlx(std::span<const float> values, int bits, int group);

}  // namespace flashmoe
