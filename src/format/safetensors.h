// One safetensors file: its tensor directory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "format/byte_source.h"
#include "format/model_file.h"

namespace flashmoe {

inline constexpr uint64_t kSafetensorsHeaderBytesMax = uint64_t{100} << 20;

struct SafetensorsPart {
  std::vector<TensorInfo> tensors;  // by offset; `file` is not set
  std::vector<SkippedTensor> skipped;
};

// Reads and validates the header (see model_file.h for what is promised). Unsigned integers are
// given as signed ones of their size, booleans as I8, a scalar has the shape [1]. Tensors of other
// types (FP8, complex) and without elements are skipped.
Result<SafetensorsPart> ParseSafetensors(const ByteSource& source);

}  // namespace flashmoe
