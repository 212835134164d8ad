// What a scheduler counts, for operators: since its start unless said otherwise.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "experts/store.h"
#include "state/prefix_store.h"

namespace flashmoe {

// How many durations fell below each bound; cumulative, as Prometheus wants it.
struct LatencyHistogram {
  static constexpr std::array<double, 14> kBoundsS = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                                      1,     2.5,  5,     10,   30,  60,   300};
  std::array<uint64_t, kBoundsS.size()> below = {};  // <= the bound
  uint64_t count = 0;
  double sum_s = 0;

  void Add(double seconds);
};

struct SchedulerStats {
  // Now.
  int slots = 0;
  int running = 0;
  int queued = 0;
  int64_t positions_used = 0;   // of keys and values, by what runs
  int64_t positions_limit = 0;  // that the plan has memory for

  uint64_t submitted = 0;  // taken
  uint64_t refused = 0;    // the queue was full
  uint64_t ended_stop = 0, ended_length = 0, ended_cancelled = 0, ended_error = 0;

  uint64_t prompt_tokens = 0;  // of prompts that were read, with those reused
  uint64_t reused_tokens = 0;  // of these, from checkpoints
  uint64_t generated_tokens = 0;
  uint64_t steps = 0;        // passes through the model
  uint64_t step_tokens = 0;  // tokens in them
  double step_s = 0;         // time in them

  LatencyHistogram queue;        // from Submit() to a slot
  LatencyHistogram first_token;  // from Submit() to the first token
  LatencyHistogram next_token;   // between tokens of an answer
  LatencyHistogram request;      // from Submit() to the end

  StoreStats store;  // experts: requests, hits, bytes read
  uint64_t store_slots = 0, store_slots_used = 0;

  PrefixStoreStats prefixes;  // checkpoints

  // Of the experts that were read, for each token that went through the model.
  double bytes_read_per_token() const {
    return step_tokens == 0 ? 0 : static_cast<double>(store.bytes_read) / step_tokens;
  }
};

}  // namespace flashmoe
