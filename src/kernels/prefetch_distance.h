// How far ahead of the weights that one token is multiplied with the next ones are asked for.
#pragma once

#include <cstdint>

namespace flashmoe {

// Bytes, by measurement: what a CPU multiplies while memory answers (docs/decisions/0011).
extern const uintptr_t kPrefetchDistance;

}  // namespace flashmoe
