// Element and block types of model files, and the only formula for their sizes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace flashmoe {

// GGUF types keep their ggml names. kMlx*: affine groups of MLX safetensors, whose scales and
// biases lie in tensors of their own.
// clang-format off
enum class DType : uint8_t {
  kF32, kF16, kBF16, kF64, kI8, kI16, kI32, kI64,
  kQ4_0, kQ4_1, kQ5_0, kQ5_1, kQ8_0,
  kQ2_K, kQ3_K, kQ4_K, kQ5_K, kQ6_K,
  kIQ1_S, kIQ1_M, kIQ2_XXS, kIQ2_XS, kIQ2_S, kIQ3_XXS, kIQ3_S, kIQ4_NL, kIQ4_XS,
  kTQ1_0, kTQ2_0, kMXFP4, kNVFP4, kQ1_0, kQ2_0,
  kMlx2, kMlx4, kMlx6, kMlx8,
};
// clang-format on
inline constexpr int kDTypeCount = static_cast<int>(DType::kMlx8) + 1;

struct DTypeInfo {
  std::string_view name;   // "Q4_K", "BF16", "MLX4"
  int32_t block_elements;  // elements in a block, along a row
  int32_t block_bytes;     // bytes of a block (MLX: of the packed integers alone)
  int32_t ggml_id;         // -1: not a GGUF type
};
const DTypeInfo& GetInfo(DType type);

std::optional<DType> DTypeFromGgml(uint32_t ggml_id);
// Upper or lower case; "Q4_K", "q4_k", "BF16".
std::optional<DType> DTypeFromName(std::string_view name);

// Bits of an MLX type (2, 4, 6 or 8), 0 for all others.
int MlxBits(DType type);

// Bytes of a row of `elements`. REQUIRES: elements % block_elements == 0.
int64_t RowBytes(DType type, int64_t elements);

}  // namespace flashmoe
