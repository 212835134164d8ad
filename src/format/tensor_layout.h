// The checks that every tensor of every container passes before anyone relies on it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "format/model_file.h"

namespace flashmoe {

inline constexpr size_t kTensorsMax = size_t{1} << 20;  // per file
inline constexpr size_t kTensorNameBytesMax = 1024;

// Not empty, not absurdly long, valid UTF-8.
Status CheckTensorName(std::string_view name, const std::string& where);

// Bytes of a tensor of positive dimensions, outermost first. Fails if a dimension is not positive,
// if the product overflows or if rows do not divide into blocks.
Result<uint64_t> TensorBytes(std::string_view name, DType type, std::span<const int64_t> shape,
                             const std::string& where);

// A run of bytes that belongs to a tensor.
struct TensorExtent {
  std::string_view name;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

// All within [begin, file_bytes), none overlapping another. `extents` is sorted by offset.
Status CheckExtents(std::vector<TensorExtent>& extents, uint64_t begin, uint64_t file_bytes,
                    const std::string& where);

}  // namespace flashmoe
