// One GGUF file (version 2 or 3): its metadata and tensor directory.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "format/byte_source.h"
#include "format/model_file.h"

namespace flashmoe {

// Type ids of metadata values, as in the file.
enum class GgufType : uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

inline constexpr uint32_t kGgufAlignmentDefault = 32;
inline constexpr uint32_t kGgufAlignmentMax = 1u << 20;
inline constexpr int kGgufDimensionsMax = 4;

struct GgufPart {
  nlohmann::json metadata;          // one flat object
  std::vector<TensorInfo> tensors;  // in the order of the file; `file` is not set
};

// Reads and validates the header (see model_file.h for what is promised). Strings of the metadata
// that are not valid UTF-8 get U+FFFD; names and keys of that kind are errors.
Result<GgufPart> ParseGguf(const ByteSource& source);

}  // namespace flashmoe
