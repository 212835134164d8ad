// Prefetching against none: pairs of runs in turn over a fixed text, each run a freshly loaded
// model with an empty cache, on the disk as it is or on a slower one that is simulated. Prints a
// table and appends CSV.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/memory.h"
#include "base/units.h"
#include "engine/engine.h"
#include "engine/session.h"
#include "io/sim_reader.h"
#include "synth/sample_text.h"

namespace flashmoe {
namespace {

struct Flags {
  std::string model, tokens, memory, name = "run", csv, mode = "auto", learn = "plan";
  double share = 25, gbps = 0, latency_us = 0;
  bool balance = false;
  int prompt = 64, decode = 512, first = 0, pairs = 10, threads = 2;
};

// Token ids as little-endian uint16, or the sample text.
Result<std::vector<int32_t>> ReadTokens(const Flags& flags, const TextModel& text) {
  const auto wanted = static_cast<size_t>(flags.prompt + flags.decode);
  std::vector<int32_t> ids;
  if (flags.tokens.empty()) {
    ids = text.tokenizer.Encode(SampleText(8 * wanted));
  } else {
    std::ifstream in(flags.tokens, std::ios::binary);
    in.seekg(int64_t{2} * flags.first);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    for (size_t i = 0; i + 1 < bytes.size(); i += 2) {
      ids.push_back(static_cast<uint8_t>(bytes[i]) | static_cast<uint8_t>(bytes[i + 1]) << 8);
    }
  }
  if (ids.size() < wanted) {
    return InvalidInput(fmt::format("there are no {} tokens", wanted), flags.tokens);
  }
  ids.resize(wanted);
  return ids;
}

struct Run {
  double prefill_s = 0, decode_s = 0;
  uint64_t prefill_bytes = 0, slots = 0;
  double prefill_wait_s = 0;
  int64_t guessing = 0;  // tokens with guesses
  StoreStats decode;
};

// Memory beyond the budget that a run may take, so that what the process holds does not matter.
constexpr uint64_t kSlack = 64 << 20;

class Bench {
 public:
  explicit Bench(const Flags& flags) : flags_(flags), gbps_(flags.gbps) {}

  Status Measure();

 private:
  Result<std::unique_ptr<Engine>> Open(Prefetch prefetch, uint64_t budget,
                                       uint64_t slots_max = 0) const;
  Result<std::unique_ptr<Engine>> OpenFair(Prefetch prefetch) const;
  Status FindBudget();
  Result<Run> Measure(Prefetch prefetch) const;
  void PrintRow(int pair, const char* mode, const Run& run) const;
  void PrintMedians(const std::vector<Run>& off, const std::vector<Run>& on) const;

  const Flags& flags_;
  double gbps_;
  uint64_t budget_ = 0, slots_ = 0;
  uint64_t slot_ = 0, routers_ = 0;  // bytes of a slot, of copies of routers
  std::vector<int32_t> tokens_;
};

Result<std::unique_ptr<Engine>> Bench::Open(Prefetch prefetch, uint64_t budget,
                                            uint64_t slots_max) const {
  FM_ASSIGN_OR_RETURN(std::unique_ptr<ModelFile> file, ModelFile::Open(flags_.model));
  FM_ASSIGN_OR_RETURN(TextModel text, LoadTextModel(*file));
  EngineOptions options;
  options.threads = flags_.threads;
  options.context = flags_.prompt + flags_.decode + kDeltaChunk;
  options.prefetch = prefetch;
  if (flags_.learn != "plan" && prefetch != Prefetch::kOff) {
    options.learning_routers = flags_.learn == "yes";
  }
  if (gbps_ > 0 || flags_.latency_us > 0) {
    const SimOptions slow = {.bytes_per_s = gbps_ * 1e9, .latency_s = flags_.latency_us * 1e-6};
    options.wrap_reader = [slow](std::unique_ptr<AsyncReader> reader) {
      return std::make_unique<SimReader>(std::move(reader), slow);
    };
  }
  options.memory_bytes = budget;
  options.slots_max = slots_max;
  return Engine::Load(std::move(file), std::move(text), options);
}

// With as many slots as the budget gives a fresh process, less what copies of routers take: what
// this process holds differs from run to run, and a few slots more or less are seen in the times.
Result<std::unique_ptr<Engine>> Bench::OpenFair(Prefetch prefetch) const {
  uint64_t slots = slots_;
  if (prefetch != Prefetch::kOff) slots -= (routers_ + slot_ - 1) / slot_;
  FM_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, Open(prefetch, budget_ + kSlack, slots));
  if (engine->plan().memory.slots != slots) {
    return InvalidInput(fmt::format("the plan has {} slots", engine->plan().memory.slots),
                        fmt::format("{}: {} are wanted", flags_.model, slots));
  }
  return engine;
}

Status Bench::FindBudget() {
  if (!flags_.memory.empty()) {
    FM_ASSIGN_OR_RETURN(budget_, ParseBytes(flags_.memory));
  }
  {
    FM_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine, Open(Prefetch::kOff, budget_));
    FM_ASSIGN_OR_RETURN(tokens_, ReadTokens(flags_, engine->text()));
    const MemoryPlan& plan = engine->plan().memory;
    slots_ = plan.slots;
    slot_ = plan.experts / plan.slots;
    if (flags_.memory.empty()) {
      slots_ = static_cast<uint64_t>(static_cast<double>(plan.slots_all) * flags_.share / 100);
      budget_ = plan.total() - (plan.slots - slots_) * slot_;
    }
  }
  FM_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> guessing, Open(Prefetch::kAuto, budget_));
  routers_ = guessing->plan().memory.routers;
  return {};
}

Result<Run> Bench::Measure(Prefetch prefetch) const {
  FM_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine, OpenFair(prefetch));
  FM_ASSIGN_OR_RETURN(Session session, engine->NewSession());
  ExpertStore& store = engine->model().store();
  Run run;
  run.slots = engine->plan().memory.slots;
  const std::span<const int32_t> all(tokens_);
  const auto prompt = static_cast<size_t>(flags_.prompt);
  double start_s = NowSeconds();
  FM_RETURN_IF_ERROR(session.Sync(all.first(prompt)));
  run.prefill_s = NowSeconds() - start_s;
  run.prefill_bytes = store.stats().bytes_read;
  run.prefill_wait_s = store.stats().wait_s;
  store.ResetStats();
  start_s = NowSeconds();
  for (const int32_t id : all.subspan(prompt)) FM_RETURN_IF_ERROR(session.Append(id));
  run.decode_s = NowSeconds() - start_s;
  run.decode = store.stats();
  run.guessing = engine->model().lookahead().tokens_guessed();
  return run;
}

// Of the experts that were not in memory by themselves, the share that a guess had fetched.
double Recall(const StoreStats& s) {
  const auto used = static_cast<double>(s.guesses_in_time + s.guesses_late);
  const auto missing = static_cast<double>(s.requests - s.hits + s.guesses_in_time);
  return missing > 0 ? used / missing : 0;
}

constexpr char kColumns[] =
    "name,pair,mode,slots,disk_gbps,prefill_tokens_per_s,prefill_mb,prefill_wait_ms,"
    "decode_tokens_per_s,wait_ms,mb,recall,useful_mb,wasted_mb,tokens_guessing";

void Bench::PrintRow(int pair, const char* mode, const Run& run) const {
  const double n = std::max(1, flags_.decode);
  const StoreStats& s = run.decode;
  const auto mb = [&](uint64_t bytes) { return static_cast<double>(bytes) * 1e-6 / n; };
  const std::string row = fmt::format(
      "\"{}\",{},{},{},{:.2f},{:.1f},{:.1f},{:.1f},{:.2f},{:.3f},{:.3f},{:.3f},{:.3f},{:.3f},{}",
      flags_.name, pair, mode, run.slots, gbps_, flags_.prompt / run.prefill_s,
      static_cast<double>(run.prefill_bytes) * 1e-6, run.prefill_wait_s * 1e3,
      flags_.decode / run.decode_s, s.wait_s * 1e3 / n, mb(s.bytes_read), Recall(s),
      mb(s.bytes_guessed_used), mb(s.bytes_guessed - s.bytes_guessed_used), run.guessing);
  fmt::print("{}\n", row);
  std::fflush(stdout);
  if (flags_.csv.empty()) return;
  std::ofstream out(flags_.csv, std::ios::app);
  if (out.tellp() == 0) out << kColumns << "\n";
  out << row << "\n";
}

template <typename F>
double Median(const std::vector<Run>& runs, F value) {
  std::vector<double> values;
  for (const Run& run : runs) values.push_back(value(run));
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

void Bench::PrintMedians(const std::vector<Run>& off, const std::vector<Run>& on) const {
  const auto decode = [&](const Run& run) { return flags_.decode / run.decode_s; };
  const auto prefill = [&](const Run& run) { return flags_.prompt / run.prefill_s; };
  fmt::print(
      "{}: medians of {} pairs: decode {:.2f} without, {:.2f} with, ratio {:.3f}; prefill {:.1f}, "
      "{:.1f}, ratio {:.3f}\n",
      flags_.name, off.size(), Median(off, decode), Median(on, decode),
      Median(on, decode) / Median(off, decode), Median(off, prefill), Median(on, prefill),
      Median(on, prefill) / Median(off, prefill));
}

Status Bench::Measure() {
  FM_RETURN_IF_ERROR(FindBudget());
  if (flags_.balance) {
    // The disk's time for what is read equals the time of what is computed.
    FM_ASSIGN_OR_RETURN(const Run run, Measure(Prefetch::kOff));
    gbps_ = static_cast<double>(run.decode.bytes_read) / (run.decode_s - run.decode.wait_s) * 1e-9;
  }
  const Prefetch mode = flags_.mode == "on"     ? Prefetch::kOn
                        : flags_.mode == "auto" ? Prefetch::kAuto
                                                : Prefetch::kOff;
  std::vector<Run> off, on;
  fmt::print("{}\n", kColumns);
  for (int pair = 0; pair < flags_.pairs; ++pair) {
    for (int turn = 0; turn < 2; ++turn) {
      const bool guess = (pair + turn) % 2 == 1;  // off on, on off, ...
      FM_ASSIGN_OR_RETURN(const Run run, Measure(guess ? mode : Prefetch::kOff));
      PrintRow(pair, guess ? flags_.mode.c_str() : "off", run);
      (guess ? on : off).push_back(run);
    }
  }
  PrintMedians(off, on);
  return {};
}

int Main(int argc, char** argv) {
  CLI::App app("Pairs of runs with and without prefetching, over a fixed text");
  Flags flags;
  app.add_option("-m,--model", flags.model)->required();
  app.add_option("--tokens", flags.tokens, "Ids as little-endian uint16; default: a sample text");
  app.add_option("--first", flags.first, "Ids to skip");
  app.add_option("--name", flags.name, "Of these rows");
  app.add_option("--csv", flags.csv, "File to append to");
  app.add_option("--mode", flags.mode, "Of the second of each pair; off: what chance alone gives")
      ->check(CLI::IsMember({"auto", "on", "off"}));
  app.add_option("--learn", flags.learn, "Routers that learn")
      ->check(CLI::IsMember({"plan", "yes", "no"}));
  app.add_option("--share", flags.share, "Slots, in per cent of all experts");
  app.add_option("--memory", flags.memory, "Budget, instead of --share");
  app.add_option("--gbps", flags.gbps, "Bandwidth of a simulated disk; 0: as it is");
  app.add_option("--latency-us", flags.latency_us, "Latency that the simulated disk adds");
  app.add_flag("--balance", flags.balance, "Simulate a disk as fast as the computing");
  app.add_option("--prompt", flags.prompt)->check(CLI::Range(1, 1 << 20));
  app.add_option("--decode", flags.decode)->check(CLI::Range(1, 1 << 20));
  app.add_option("--pairs", flags.pairs)->check(CLI::Range(1, 1000));
  app.add_option("-t,--threads", flags.threads)->check(CLI::Range(1, 1024));
  CLI11_PARSE(app, argc, argv);
  const Status status = Bench(flags).Measure();
  if (!status.has_value()) fmt::print(stderr, "{}\n", status.error().ToString());
  return status.has_value() ? 0 : 1;
}

}  // namespace
}  // namespace flashmoe

int main(int argc, char** argv) { return flashmoe::Main(argc, argv); }
