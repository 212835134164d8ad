// Bounds that any real model of the family keeps with room to spare. They stop hostile metadata
// before a size is computed from it.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "model/config.h"

namespace flashmoe::limits {

inline constexpr int64_t kLayers = 1024;
inline constexpr int64_t kHidden = 1 << 17;
inline constexpr int64_t kVocab = 1 << 22;
inline constexpr int64_t kHeads = 1024;
inline constexpr int64_t kHeadDim = 1024;
inline constexpr int64_t kExperts = 1 << 14;
inline constexpr int64_t kExpertsPerToken = 256;
inline constexpr int64_t kWidth = 1 << 17;
inline constexpr int64_t kContext = int64_t{1} << 26;

}  // namespace flashmoe::limits

namespace flashmoe {

// What must hold between the fields, whatever file they came from.
Status ValidateConfig(const ModelConfig& config);

}  // namespace flashmoe
