// How far ahead of the integer weights that a few tokens are multiplied with the next are asked
// for.
#pragma once

#include <cstdint>

namespace flashmoe {

// Bytes, by measurement: what a CPU multiplies while memory answers (docs/decisions/0011). Set
// before main().
extern const uintptr_t kPrefetchDistance;

}  // namespace flashmoe
