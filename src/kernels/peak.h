// The roof of products that are bound by computing: how fast a table's best instructions multiply
// where nothing depends on anything and nothing is loaded.
#pragma once

#include <cstdint>
#include <string_view>

#include "kernels/kernels.h"

namespace flashmoe {

struct PeakLoop {
  std::string_view instruction;              // "vpdpbusd"; empty if there is no such loop
  int64_t (*run)(int64_t rounds) = nullptr;  // returns how many numbers it multiplied and added
};

struct PeakLoops {
  PeakLoop integers;  // of a byte each
  PeakLoop floats;    // float32
};

// REQUIRES: one of AvailableKernels(). The scalar table has no loops.
PeakLoops PeakLoopsOf(const KernelTable& table);

}  // namespace flashmoe
