// One function per block type of tensor/blocks.h: `blocks` blocks at `data` (any address) to
// floats. Multiplications are in ggml's order, so that results agree to the bit.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/matrix.h"

namespace flashmoe::ref {

using DecodeFn = void (*)(const std::byte* data, int64_t blocks, float* out);

void DecodeQ4_0(const std::byte* data, int64_t blocks, float* out);
void DecodeQ4_1(const std::byte* data, int64_t blocks, float* out);
void DecodeQ5_0(const std::byte* data, int64_t blocks, float* out);
void DecodeQ5_1(const std::byte* data, int64_t blocks, float* out);
void DecodeQ8_0(const std::byte* data, int64_t blocks, float* out);
void DecodeQ1_0(const std::byte* data, int64_t blocks, float* out);
void DecodeQ2_0(const std::byte* data, int64_t blocks, float* out);
void DecodeIQ4_NL(const std::byte* data, int64_t blocks, float* out);
void DecodeIQ4_XS(const std::byte* data, int64_t blocks, float* out);
void DecodeMXFP4(const std::byte* data, int64_t blocks, float* out);
void DecodeNVFP4(const std::byte* data, int64_t blocks, float* out);
void DecodeTQ1_0(const std::byte* data, int64_t blocks, float* out);
void DecodeTQ2_0(const std::byte* data, int64_t blocks, float* out);
void DecodeQ2_K(const std::byte* data, int64_t blocks, float* out);
void DecodeQ3_K(const std::byte* data, int64_t blocks, float* out);
void DecodeQ4_K(const std::byte* data, int64_t blocks, float* out);
void DecodeQ5_K(const std::byte* data, int64_t blocks, float* out);
void DecodeQ6_K(const std::byte* data, int64_t blocks, float* out);
void DecodeIQ1_S(const std::byte* data, int64_t blocks, float* out);
void DecodeIQ1_M(const std::byte* data, int64_t blocks, float* out);
void DecodeIQ2_XXS(const std::byte* data, int64_t blocks, float* out);
void DecodeIQ2_XS(const std::byte* data, int64_t blocks, float* out);
void DecodeIQ2_S(const std::byte* data, int64_t blocks, float* out);
void DecodeIQ3_XXS(const std::byte* data, int64_t blocks, float* out);
void DecodeIQ3_S(const std::byte* data, int64_t blocks, float* out);

// MLX affine groups; the arguments are those of DequantizeSpan.
void DecodeMlx(const Matrix& w, int64_t row, int64_t begin, int64_t count, float* out);

// Calls decode(block, its floats) on each of `blocks` blocks of `elements` elements.
template <typename Block, int64_t elements, typename Decode>
void ForEachBlock(const std::byte* data, int64_t blocks, float* out, Decode decode) {
  const Block* block = reinterpret_cast<const Block*>(data);  // packed: alignment 1
  for (int64_t i = 0; i < blocks; ++i) decode(block[i], out + i * elements);
}

}  // namespace flashmoe::ref
