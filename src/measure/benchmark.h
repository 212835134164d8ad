// Times a model at one or several memory budgets: decoding with cold, warm and other text's caches,
// and prompts of several lengths, each several times over.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/status.h"
#include "engine/engine.h"
#include "measure/fixed_text.h"
#include "measure/forecast.h"
#include "measure/machine.h"
#include "measure/timed_run.h"

namespace flashmoe {

enum class Scenario : uint8_t {
  kCold,     // decode with nothing in memory: neither in the cache of experts nor in the system's
  kWarm,     // decode the same text again
  kVaried,   // decode another text than before
  kPrefill,  // a prompt that was read before
  kFirstPrefill,  // a prompt with nothing in memory, as of kCold
};
std::string_view Name(Scenario scenario);  // "cold", "warm", "varied", "prefill", "first-prefill"
constexpr bool IsPrefill(Scenario scenario) { return scenario >= Scenario::kPrefill; }
Result<Scenario> ScenarioFromName(std::string_view name);

struct BenchOptions {
  EngineOptions engine;           // but for the budget
  std::vector<uint64_t> budgets;  // bytes; 0: what can be spared
  std::vector<Scenario> scenarios = {Scenario::kCold, Scenario::kWarm, Scenario::kVaried,
                                     Scenario::kFirstPrefill, Scenario::kPrefill};
  std::vector<int64_t> prompt_tokens;
  int64_t decode_tokens = 0;
  int64_t decode_position = 0;  // where decoding begins, behind a prompt that is not timed
  int repetitions = 1;
};

// The median and its neighbours.
struct Spread {
  double median = 0, least = 0, most = 0;
};
Spread SpreadOf(std::vector<double> values);  // REQUIRES: not empty

// Repetitions of one thing.
struct RunSeries {
  Scenario scenario = Scenario::kWarm;
  int64_t tokens = 0;
  std::vector<TimedRun> runs = {};  // not empty
  // Of a prompt, before the first run and after each: the seconds that a token takes at least.
  std::vector<double> arithmetic_s = {};
  Roofs roofs = {};                   // from what these runs missed and touched
  std::vector<Roofs> run_roofs = {};  // of each run
  // The part of its speed that computing keeps while the disk reads as fast as in these runs:
  // reading memory, or for prompts multiplying. None: nothing was read, or it is not known.
  std::optional<double> speed_kept = {};
  // What was to be expected; of decoding only where other text went before, as in a chat, or where
  // that makes no difference.
  std::optional<double> predicted_tokens_per_s = {};

  bool decodes() const { return !IsPrefill(scenario); }
  Spread tokens_per_s() const;
  // Part of the lowest roof that the median reaches; 0 if there is none.
  double roof_share() const;
  // The lowest roof, with those of computing lowered to what it keeps while the disk reads.
  std::optional<double> roof_while_reading() const;
  // All runs as one: parts, bytes and tokens are sums.
  TimedRun Total() const;
};

// "prompt of 512", "first prompt of 512". REQUIRES: it does not decode.
std::string PromptName(const RunSeries& series);

struct BudgetReport {
  uint64_t budget_bytes = 0;
  EnginePlan plan;
  DecodeForecast forecast;
  uint64_t cached_when_cold_bytes = 0;  // of the model: the system would not forget them
  uint64_t peak_bytes = 0;              // held at most, loading included; 0: not known
  std::vector<RunSeries> series;

  TimedBytes disk() const;    // of all bursts of reads between these runs' tokens
  TimedBytes memory() const;  // likewise; none if the model's head is small
  // During the runs, since others needed the memory: then they are not what the plan would give.
  uint64_t slots_given_back() const;
};

struct BenchReport {
  std::string model;
  ModelFacts facts;
  MachineSpeed machine;
  std::vector<BudgetReport> budgets;
  bool interrupted = false;  // what was asked for is not all here
};

// `text` as LoadText() makes it; REQUIRES: at least one budget, scenario and repetition, and
// decode_tokens >= 1 or prompt_tokens >= 1 where they are used. Cancelled by options.engine.cancel:
// then it reports the runs that had ended, or fails if there were none.
Result<BenchReport> RunBenchmark(const std::string& model, const FixedText& text,
                                 const BenchOptions& options, const ProgressFn& progress = {});

// The tokens that such a benchmark reads.
int64_t TokensNeeded(const BenchOptions& options);

}  // namespace flashmoe
