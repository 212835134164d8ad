// Replays a routing trace through the cache that the store uses: how often would an expert have
// been in memory? One cache lives through all sequences, as it does through all requests to a
// process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "base/status.h"
#include "experts/trace.h"

namespace flashmoe {

struct ReplayOptions {
  uint32_t slots = 0;           // >= ReplaySlotsMin(trace)
  uint32_t prompt_tokens = 0;   // of each sequence, that come in chunks; the others one by one
  uint32_t chunk_tokens = 512;  // at least 1
  uint32_t misses_at_once = 0;  // of a request, that may have a slot at a time; 0: any number
  const CancelFlag* cancel = nullptr;
};

struct ReplayCount {
  uint64_t tokens = 0;
  uint64_t requests = 0;  // experts asked for, once a chunk and layer
  uint64_t hits = 0;      // of these, in memory

  double hit_rate() const;
  double reads_per_token() const;
};

struct ReplayResult {
  ReplayCount prompt, decode;
};

// The name of the policy that knows the future: the expert goes that will not be used for longest.
// No policy that reads what it is asked for, when it is asked for it, reads less, but for the
// floors, which it keeps as all others do.
inline constexpr std::string_view kBelady = "belady";

// One token's working set: below, not even a token's experts have room.
uint64_t ReplaySlotsMin(const RoutingTrace& trace);

// `policy`: a name of CachePolicyNames(), or kBelady. REQUIRES: CheckTrace(trace).
Result<ReplayResult> Replay(const RoutingTrace& trace, std::string_view policy,
                            const ReplayOptions& options);

}  // namespace flashmoe
