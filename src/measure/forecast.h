// What speed to expect of a model before it is there: from its sizes, the memory plan and the
// speeds of the machine. An expectation, not a promise: how often an expert is in memory hangs on
// the text.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/engine.h"
#include "measure/machine.h"

namespace flashmoe {

// How often an expert is found in memory when so large a part of all experts is there, while
// decoding; from traces of a trained model under the default policy. 0 <= resident_share <= 1.
double ExpectedHitRate(double resident_share);

// Tokens a second; none: nothing of the kind limits.
struct Roofs {
  std::optional<double> disk, memory, matrix;
  std::optional<double> lowest() const;
};

struct DecodeForecast {
  double resident_share = 1;  // of all experts
  double hit_rate = 1;
  double bytes_missed = 0;  // a token
  double compute_s = 0;     // a token
  double wait_s = 0;        // a token, for reads that computing does not hide
  Roofs roofs;

  double tokens_per_s() const { return 1 / (compute_s + wait_s); }
};
// REQUIRES: the disk's speed is known, unless all experts are resident.
DecodeForecast ForecastDecode(const ModelFacts& facts, const MemoryPlan& plan,
                              const MachineSpeed& machine, int64_t position);

struct PrefillForecast {
  int64_t tokens = 0;
  double bytes_read = 0;
  double seconds = 0;
  Roofs roofs;

  double tokens_per_s() const { return static_cast<double>(tokens) / seconds; }
};
PrefillForecast ForecastPrefill(const ModelFacts& facts, const MemoryPlan& plan,
                                const MachineSpeed& machine, int64_t tokens);

}  // namespace flashmoe
