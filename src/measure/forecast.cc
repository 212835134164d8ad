#include "measure/forecast.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

namespace flashmoe {
namespace {

// Of the time of computing, what goes into products with weights: the rest are norms, the float
// parts of mixers, choosing experts, and threads that wait for each other (docs/performance.md).
constexpr double kDecodeProducts = 0.8;
constexpr double kPrefillProducts = 0.8;
// Of the time of computing, the head aside, what reads go on in: guesses name about as much of what
// is missed in time (docs/performance.md, "Prefetching").
constexpr double kGuessed = 0.45;
// From a read's submission until its first bytes, where nothing else is read.
constexpr double kReadLatency_s = 150e-6;
// For a layer's request to the store: choosing slots and starting reads.
constexpr double kRequest_s = 60e-6;
// Copies of routers are read to guess, and read and written to learn.
constexpr double kRouterPasses = 3;

// Traces of ember-wide, which is really trained (128 experts a layer, 4 a token), under the policy
// that is in use unless another is asked for: the mean of text and conversations, which lie within
// 4 % of each other. With the least, room for one token's experts, what hits is what neighbouring
// tokens share.
struct Point {
  double share, hits;
};
constexpr Point kHits[] = {{0.00, 0.00}, {0.03, 0.19}, {0.05, 0.27}, {0.10, 0.41},
                           {0.15, 0.51}, {0.25, 0.66}, {0.35, 0.76}, {0.50, 0.86},
                           {0.65, 0.92}, {0.75, 0.95}, {0.90, 0.99}, {1.00, 1.00}};

// Experts of a layer that at least one of so many tokens chooses, if all are equally popular.
double DistinctExperts(const ModelFacts& facts, double tokens) {
  const double all = facts.config.experts;
  return all * (1 - std::pow(1 - facts.experts_per_token / all, tokens));
}

double ResidentShare(const MemoryPlan& plan) {
  return plan.slots_all == 0
             ? 1
             : static_cast<double>(plan.slots) / static_cast<double>(plan.slots_all);
}

}  // namespace

double ExpectedHitRate(double share) {
  const auto above = std::ranges::find_if(kHits, [&](const Point& p) { return p.share >= share; });
  if (above == std::begin(kHits)) return 0;
  if (above == std::end(kHits)) return 1;
  const Point& below = above[-1];
  const double part = (share - below.share) / (above->share - below.share);
  return below.hits + part * (above->hits - below.hits);
}

std::optional<double> Roofs::lowest() const {
  std::optional<double> least;
  for (const std::optional<double>& roof : {disk, memory, matrix}) {
    if (roof && (!least || *roof < *least)) least = roof;
  }
  return least;
}

DecodeForecast ForecastDecode(const ModelFacts& facts, const MemoryPlan& plan,
                              const MachineSpeed& machine, int64_t position) {
  DecodeForecast f;
  f.resident_share = ResidentShare(plan);
  f.hit_rate = plan.all_resident() ? 1 : ExpectedHitRate(f.resident_share);
  f.bytes_missed = (1 - f.hit_rate) * static_cast<double>(facts.expert_bytes_token);
  const auto state_bytes = static_cast<double>(
      2 * facts.state_fixed_bytes + static_cast<uint64_t>(position) * facts.state_position_bytes);
  const double experts_s = machine.DecodeExpertSeconds(facts);
  const double products_s =
      machine.DecodeDenseSeconds(facts) + experts_s + state_bytes / machine.memory_bytes_per_s;
  f.compute_s = products_s / kDecodeProducts;
  if (!plan.all_resident()) {
    f.compute_s += facts.config.layers * kRequest_s +
                   kRouterPasses * static_cast<double>(plan.routers) / machine.memory_bytes_per_s;
  }
  f.roofs.memory = machine.memory_bytes_per_s / static_cast<double>(facts.TouchedBytes(position));
  if (f.bytes_missed == 0) return f;

  // What is read is hidden behind the experts that are there or, of what was guessed, behind all
  // but the head; the first bytes are always awaited.
  const double read_s = f.bytes_missed / machine.disk.bytes_per_s;
  const double missing = 1 - std::pow(f.hit_rate, facts.experts_per_token);
  const double before_head_s = f.compute_s - machine.DecodeHeadSeconds(facts) / kDecodeProducts;
  const double most_hidden_s = std::max(f.hit_rate * experts_s, kGuessed * before_head_s);
  const double hidden_s = std::min(read_s, most_hidden_s);
  f.wait_s = read_s - hidden_s + facts.config.layers * missing * kReadLatency_s;
  f.compute_s += machine.disk.compute_s_per_byte * f.bytes_missed * hidden_s / read_s;
  f.roofs.disk = 1 / read_s;
  return f;
}

PrefillForecast ForecastPrefill(const ModelFacts& facts, const MemoryPlan& plan,
                                const MachineSpeed& machine, int64_t tokens) {
  PrefillForecast f;
  f.tokens = tokens;
  const auto expert_bytes = static_cast<double>(facts.expert_bytes_total) / facts.config.experts;
  for (int64_t done = 0; done < tokens; done += plan.chunk_tokens) {
    const auto chunk = static_cast<double>(std::min(plan.chunk_tokens, tokens - done));
    const double distinct = DistinctExperts(facts, chunk);
    const double an_expert = chunk * facts.experts_per_token / distinct;
    const double chunk_s =
        chunk * machine.PrefillSeconds(facts, static_cast<double>(done), chunk, an_expert) /
        kPrefillProducts;
    // As many of a layer's experts as have room are there when its turn comes: after other prompts,
    // that is, since the cache does not give all of them up to a sweep (experts/policy.h).
    const double missed = plan.all_resident() ? 0 : 1 - ResidentShare(plan);
    const double bytes = missed * distinct * expert_bytes;
    const double read_s = bytes > 0 ? bytes / machine.disk.bytes_per_s : 0;
    f.bytes_read += bytes;
    f.seconds += std::max(chunk_s, read_s);
  }
  f.roofs.matrix = 1 / machine.LeastPrefillSeconds(facts, static_cast<double>(tokens));
  if (f.bytes_read > 0) {
    f.roofs.disk = static_cast<double>(tokens) * machine.disk.bytes_per_s / f.bytes_read;
  }
  return f;
}

}  // namespace flashmoe
