#include "experts/trace_stats.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace flashmoe {
namespace {

double Busiest(std::vector<uint64_t> counts) {
  std::ranges::sort(counts, std::greater());
  const auto fifth = counts.begin() + static_cast<std::ptrdiff_t>((counts.size() + 4) / 5);
  const auto sum = [](auto begin, auto end) {
    return static_cast<double>(std::accumulate(begin, end, uint64_t{0}));
  };
  return sum(counts.begin(), fifth) / sum(counts.begin(), counts.end());
}

double Repeats(const RoutingTrace& trace, uint32_t layer) {
  uint64_t repeated = 0;
  for (uint32_t sequence = 0; sequence < trace.sequences; ++sequence) {
    for (uint32_t token = 1; token < trace.tokens; ++token) {
      const auto before = trace.Chosen(sequence, token - 1, layer);
      for (const uint16_t id : trace.Chosen(sequence, token, layer)) {
        repeated += std::ranges::find(before, id) != before.end() ? 1 : 0;
      }
    }
  }
  const double choices = static_cast<double>(trace.sequences) *
                         std::max(1.0, static_cast<double>(trace.tokens) - 1) *
                         trace.experts_per_token;
  return static_cast<double>(repeated) / choices;
}

double WorkingSet(const RoutingTrace& trace, uint32_t layer, uint32_t window) {
  std::vector<uint64_t> seen(trace.experts);  // the stretch that had it last
  uint64_t stretches = 0, distinct = 0;
  for (uint32_t sequence = 0; sequence < trace.sequences; ++sequence) {
    for (uint32_t token = 0; token < trace.tokens; ++token) {
      if (token % window == 0) ++stretches;
      for (const uint16_t id : trace.Chosen(sequence, token, layer)) {
        distinct += seen[id] != stretches ? 1 : 0;
        seen[id] = stretches;
      }
    }
  }
  return static_cast<double>(distinct) / static_cast<double>(stretches);
}

}  // namespace

std::vector<LayerRouting> DescribeRouting(const RoutingTrace& trace) {
  std::vector<LayerRouting> layers(trace.layers);
  for (uint32_t layer = 0; layer < trace.layers; ++layer) {
    std::vector<uint64_t> counts(trace.experts);
    for (uint32_t sequence = 0; sequence < trace.sequences; ++sequence) {
      for (uint32_t token = 0; token < trace.tokens; ++token) {
        for (const uint16_t id : trace.Chosen(sequence, token, layer)) ++counts[id];
      }
    }
    LayerRouting& routing = layers[layer];
    routing.used = static_cast<uint32_t>(
        counts.size() - static_cast<size_t>(std::ranges::count(counts, uint64_t{0})));
    routing.busiest = Busiest(std::move(counts));
    routing.repeats = Repeats(trace, layer);
    for (size_t i = 0; i < kWindows.size(); ++i) {
      routing.working_set[i] = WorkingSet(trace, layer, kWindows[i]);
    }
  }
  return layers;
}

}  // namespace flashmoe
