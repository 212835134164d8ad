// What a routing trace says about caching, before any cache: how unequal the experts are, how much
// a token repeats of the one before, how many experts a stretch of text needs.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "experts/trace.h"

namespace flashmoe {

// Lengths of stretches, in tokens.
inline constexpr std::array<uint32_t, 4> kWindows = {16, 64, 256, 1024};

// Of a layer; all but `used` are means over the trace.
struct LayerRouting {
  uint32_t used = 0;   // experts that were chosen at all
  double busiest = 0;  // share of the choices that went to the busiest fifth of the experts
  double repeats = 0;  // share of a token's experts that the token before had, too
  std::array<double, kWindows.size()> working_set = {};  // distinct experts in such a stretch
};

// [layers]. Stretches stand side by side from a sequence's begin and end with it. REQUIRES:
// CheckTrace(trace).
std::vector<LayerRouting> DescribeRouting(const RoutingTrace& trace);

}  // namespace flashmoe
