#include "measure/benchmark.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>

#include "base/bandwidth.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/thread_pool.h"
#include "engine/session.h"
#include "io/page_cache.h"
#include "kernels/peak.h"
#include "measure/peak_memory.h"

namespace flashmoe {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"cold", "warm", "varied", "prefill",
                                                    "first-prefill"};

bool Has(const BenchOptions& options, Scenario scenario) {
  return std::ranges::find(options.scenarios, scenario) != options.scenarios.end();
}

bool Prefills(const BenchOptions& options) {
  return std::ranges::any_of(options.scenarios, IsPrefill);
}

int64_t LongestPrompt(const BenchOptions& options) {
  if (!Prefills(options) || options.prompt_tokens.empty()) return 0;
  return *std::ranges::max_element(options.prompt_tokens);
}

bool Decodes(const BenchOptions& options) {
  return !std::ranges::all_of(options.scenarios, IsPrefill);
}

// Tokens of one decode, with what comes before it.
int64_t DecodeSpan(const BenchOptions& options) {
  return Decodes(options) ? options.decode_position + options.decode_tokens : 0;
}

// Of a step of computing.
constexpr double kStep_s = 1e-3;

// What the machine gives between runs is measured with these.
struct Instruments {
  const ModelFacts& facts;
  const KernelTable& kernels;
  ThreadPool& pool;
  DiskSampler& disk;
};

// The runs at one budget.
class BudgetBench {
 public:
  BudgetBench(const BenchOptions& options, const FixedText& text, const Instruments& instruments,
              const ProgressFn& progress)
      : options_(options),
        text_(text),
        facts_(instruments.facts),
        kernels_(instruments.kernels),
        pool_(instruments.pool),
        disk_(instruments.disk),
        progress_(progress) {}

  // What was run before an error stays in the report.
  Status Run(const std::string& path, uint64_t budget, BudgetReport& report) {
    const bool peak_is_ours = ResetPeakResidentBytes();
    FM_ASSIGN_OR_RETURN(std::unique_ptr<ModelFile> file, ModelFile::Open(path));
    files_ = file->files();
    FM_ASSIGN_OR_RETURN(TextModel words, LoadTextModel(*file));
    EngineOptions engine_options = options_.engine;
    engine_options.memory_bytes = budget;
    if (Prefills(options_)) engine_options.caller_bytes += kArithmeticBytes;
    const int64_t longest = std::max(DecodeSpan(options_), LongestPrompt(options_));
    engine_options.context = std::max(engine_options.context, longest);
    engine_options.context_needed = engine_options.context_least = longest;
    FM_ASSIGN_OR_RETURN(engine_,
                        Engine::Load(std::move(file), std::move(words), engine_options, progress_));
    engine_->model().store().AwaitMemory();  // what it takes is no part of any run
    const Matrix& head = engine_->model().weights().head();
    memory_ = MemorySampler(pool_, {head.data, static_cast<size_t>(head.rows * head.row_bytes)});
    FM_ASSIGN_OR_RETURN(Session session, engine_->NewSession());
    report.budget_bytes = engine_->plan().memory.budget;
    report.plan = engine_->plan();
    total_ = CountTokens();
    Status status;
    if (Decodes(options_)) status = DecodeAll(session, report);
    if (status.has_value() && Prefills(options_)) status = PrefillAll(session, report);
    std::erase_if(report.series, [](const RunSeries& series) { return series.runs.empty(); });
    if (peak_is_ours) report.peak_bytes = PeakResidentBytes();
    return status;
  }

 private:
  uint64_t CountTokens() const {
    uint64_t tokens = 0;
    for (const Scenario scenario : options_.scenarios) {
      if (!IsPrefill(scenario)) {
        tokens += static_cast<uint64_t>(options_.decode_tokens);
        continue;
      }
      for (const int64_t prompt : options_.prompt_tokens) tokens += static_cast<uint64_t>(prompt);
    }
    return tokens * static_cast<uint64_t>(options_.repetitions);
  }

  void Report(const TimedRun& run) {
    done_ += static_cast<uint64_t>(run.tokens);
    if (progress_) progress_({"measuring", std::min(done_, total_), total_});
  }

  // Empties the store and, where that is permitted, the page cache of the model.
  void Forget(BudgetReport& report) {
    engine_->model().store().Clear();
    report.cached_when_cold_bytes =
        std::max(report.cached_when_cold_bytes, DropFromPageCache(files_));
  }

  // Decodes the text from `first` on.
  Result<TimedRun> Decode(Session& session, int64_t first, bool cold, BudgetReport& report) {
    const int64_t position = options_.decode_position;
    session.Reset();
    if (position > 0) FM_RETURN_IF_ERROR(session.Sync(text_.Slice(first, position)));
    if (cold) Forget(report);
    return TimeRun(engine_->model(), session, text_.Slice(first + position, options_.decode_tokens),
                   Feeding::kOneByOne, disk_, memory_);
  }

  // One after the other and all of that again, so that a machine that changes its speed changes it
  // for all.
  Status DecodeAll(Session& session, BudgetReport& report) {
    std::vector<RunSeries>& series = report.series;
    for (const Scenario scenario : {Scenario::kCold, Scenario::kWarm, Scenario::kVaried}) {
      if (Has(options_, scenario)) {
        series.push_back({.scenario = scenario, .tokens = options_.decode_tokens});
      }
    }
    for (int round = 0; round < options_.repetitions; ++round) {
      for (RunSeries& one : series) {
        const bool varied = one.scenario == Scenario::kVaried;
        // What the cold run leaves, or one that is not counted.
        const bool first = round == 0 && &one == &series.front();
        const bool other_text = one.scenario == Scenario::kWarm && Has(options_, Scenario::kVaried);
        if (!Has(options_, Scenario::kCold) && (first || other_text)) {
          FM_RETURN_IF_ERROR(Decode(session, 0, /*cold=*/false, report));
        }
        FM_ASSIGN_OR_RETURN(TimedRun run,
                            Decode(session, varied ? (round + 1) * DecodeSpan(options_) : 0,
                                   one.scenario == Scenario::kCold, report));
        Report(run);
        one.runs.push_back(std::move(run));
      }
    }
    return {};
  }

  Status PrefillAll(Session& session, BudgetReport& report) {
    for (const Scenario scenario : {Scenario::kFirstPrefill, Scenario::kPrefill}) {
      if (!Has(options_, scenario)) continue;
      for (const int64_t tokens : options_.prompt_tokens) {
        RunSeries& series =
            report.series.emplace_back(RunSeries{.scenario = scenario, .tokens = tokens});
        FM_RETURN_IF_ERROR(Prefill(session, report, series));
      }
    }
    return {};
  }

  // The first time over a prompt is not counted unless it is what was asked for: where all experts
  // have room, it brings them in.
  Status Prefill(Session& session, BudgetReport& report, RunSeries& series) {
    const bool counted = series.scenario == Scenario::kFirstPrefill;
    const std::vector<int32_t> prompt = text_.Slice(0, series.tokens);
    for (int round = counted ? 0 : -1; round < options_.repetitions; ++round) {
      session.Reset();
      if (counted) Forget(report);
      FM_ASSIGN_OR_RETURN(TimedRun run, TimeRun(engine_->model(), session, prompt, Feeding::kAtOnce,
                                                disk_, memory_));
      FM_ASSIGN_OR_RETURN(const MachineSpeed speed, MeasureArithmetic(facts_, kernels_, pool_));
      series.arithmetic_s.push_back(
          speed.LeastPrefillSeconds(facts_, static_cast<double>(series.tokens)));
      if (round < 0) continue;
      Report(run);
      series.runs.push_back(std::move(run));
    }
    return {};
  }

  const BenchOptions& options_;
  const FixedText& text_;
  const ModelFacts& facts_;
  const KernelTable& kernels_;
  ThreadPool& pool_;
  DiskSampler& disk_;
  const ProgressFn& progress_;
  std::vector<std::shared_ptr<const File>> files_;
  std::unique_ptr<Engine> engine_;
  MemorySampler memory_;
  uint64_t done_ = 0, total_ = 0;
};

// What the disk and the memory, or the arithmetic, would have allowed.
void AddRoofs(const ModelFacts& facts, const MachineSpeed& machine, RunSeries& series) {
  const int64_t middle = series.runs.front().position + series.tokens / 2;
  const auto roofs_of = [&](const TimedRun& run) {
    Roofs roofs;
    if (series.decodes()) {
      const double bytes_per_s =
          run.memory.bytes > 0 ? run.memory.per_s() : machine.memory_bytes_per_s;
      roofs.memory = bytes_per_s / static_cast<double>(facts.TouchedBytes(middle));
    } else {
      const std::vector<double>& times = series.arithmetic_s;
      roofs.matrix =
          static_cast<double>(times.size()) / std::accumulate(times.begin(), times.end(), 0.0);
    }
    const auto missed = static_cast<double>(run.bytes_missed());
    const double bytes_per_s = run.disk.bytes > 0 ? run.disk.per_s() : machine.disk.bytes_per_s;
    if (missed > 0 && bytes_per_s > 0) {
      roofs.disk = static_cast<double>(run.tokens) * bytes_per_s / missed;
    }
    return roofs;
  };
  series.roofs = roofs_of(series.Total());
  for (const TimedRun& run : series.runs) series.run_roofs.push_back(roofs_of(run));
}

// Computing that takes about a millisecond, of the kind that limits decoding, or prompts.
std::function<void()> ComputingOf(const RunSeries& series, ThreadPool& pool, MemorySweep& memory,
                                  const KernelTable& kernels) {
  const PeakLoops loops = PeakLoopsOf(kernels);
  const PeakLoop& loop = loops.integers.run != nullptr ? loops.integers : loops.floats;
  if (series.decodes() || loop.run == nullptr) return [&] { memory.Read(DiskSampler::kStepBytes); };
  constexpr int64_t kTrial = 20000;
  const double begin_s = NowSeconds();
  loop.run(kTrial);
  const double trial_s = std::max(NowSeconds() - begin_s, 1e-6);
  const int64_t rounds = std::max<int64_t>(1, std::llround(kTrial * kStep_s / trial_s));
  return [&pool, rounds, run = loop.run] {
    pool.ParallelFor(pool.threads(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) run(rounds);
    });
  };
}

// Once the runs at a budget are over, and their memory is free. What cannot be measured is left
// out.
void MeasureSpeedKept(const Instruments& instruments, const CancelFlag* cancel,
                      BudgetReport& report) {
  const auto reads = [](const RunSeries& series) { return series.Total().store.bytes_read > 0; };
  if (std::ranges::none_of(report.series, reads)) return;
  Result<MemorySweep> memory = MemorySweep::Create(instruments.pool, MeasuringBytes());
  if (!memory.has_value()) return;
  for (RunSeries& series : report.series) {
    if (!reads(series)) continue;
    if (cancel != nullptr && cancel->IsSet()) return;
    const TimedRun total = series.Total();
    series.speed_kept = instruments.disk.SpeedKept(
        static_cast<double>(total.store.bytes_read) / total.seconds,
        ComputingOf(series, instruments.pool, *memory, instruments.kernels));
  }
}

// What `of` says of all runs together.
template <typename Of>
auto SumOver(const std::vector<RunSeries>& series, const Of& of) {
  decltype(of(TimedRun())) sum = {};
  for (const RunSeries& one : series) sum += of(one.Total());
  return sum;
}

// Where the bursts that sample the disk are read to: part of the budget.
uint64_t SamplerBytes(uint64_t budget) {
  constexpr uint64_t kMost = DiskSampler::kBufferBytesMost;
  return budget > 0 ? std::min(kMost, budget / 64) : MeasuringBytes(kMost);
}

void Evaluate(const BenchOptions& options, const ModelFacts& facts, const MachineSpeed& machine,
              BudgetReport& report) {
  const MemoryPlan& plan = report.plan.memory;
  report.forecast =
      ForecastDecode(facts, plan, machine, options.decode_position + options.decode_tokens / 2);
  for (RunSeries& series : report.series) {
    AddRoofs(facts, machine, series);
    if (series.scenario == Scenario::kPrefill) {
      series.predicted_tokens_per_s =
          ForecastPrefill(facts, plan, machine, series.tokens).tokens_per_s();
    } else if (series.scenario == Scenario::kVaried ||
               (series.scenario == Scenario::kWarm && plan.all_resident())) {
      series.predicted_tokens_per_s = report.forecast.tokens_per_s();
    }
  }
}

}  // namespace

TimedBytes BudgetReport::disk() const {
  return SumOver(series, [](const TimedRun& run) { return run.disk; });
}

TimedBytes BudgetReport::memory() const {
  return SumOver(series, [](const TimedRun& run) { return run.memory; });
}

uint64_t BudgetReport::slots_given_back() const {
  return SumOver(series, [](const TimedRun& run) { return run.store.slots_given_back; });
}

std::string_view Name(Scenario scenario) { return kNames[static_cast<size_t>(scenario)]; }

std::string PromptName(const RunSeries& series) {
  FM_CHECK(!series.decodes());
  const char* first = series.scenario == Scenario::kFirstPrefill ? "first " : "";
  return fmt::format("{}prompt of {}", first, series.tokens);
}

Result<Scenario> ScenarioFromName(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found != kNames.end()) return static_cast<Scenario>(found - kNames.begin());
  return InvalidInput(fmt::format("there is no scenario '{}'", name), {},
                      "choose among cold, warm, varied, prefill and first-prefill");
}

Spread SpreadOf(std::vector<double> values) {
  FM_CHECK(!values.empty());
  std::ranges::sort(values);
  const size_t half = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  return {median, values.front(), values.back()};
}

Spread RunSeries::tokens_per_s() const {
  std::vector<double> speeds;
  for (const TimedRun& run : runs) speeds.push_back(run.tokens_per_s());
  return SpreadOf(std::move(speeds));
}

double RunSeries::roof_share() const {
  const std::optional<double> roof = roofs.lowest();
  return roof ? tokens_per_s().median / *roof : 0;
}

std::optional<double> RunSeries::roof_while_reading() const {
  if (!speed_kept) return std::nullopt;
  Roofs lowered = roofs;
  for (std::optional<double>* roof : {&lowered.memory, &lowered.matrix}) {
    if (roof->has_value()) **roof *= *speed_kept;
  }
  return lowered.lowest();
}

TimedRun RunSeries::Total() const {
  TimedRun total = runs.front();
  for (const TimedRun& run : std::span(runs).subspan(1)) total += run;
  return total;
}

int64_t TokensNeeded(const BenchOptions& options) {
  const int64_t spans = Has(options, Scenario::kVaried) ? options.repetitions + 1 : 1;
  return std::max(spans * DecodeSpan(options), LongestPrompt(options));
}

Result<BenchReport> RunBenchmark(const std::string& model, const FixedText& text,
                                 const BenchOptions& options, const ProgressFn& progress) {
  FM_CHECK(!options.budgets.empty() && !options.scenarios.empty() && options.repetitions > 0);
  BenchReport report;
  report.model = model;
  MachineOptions machine;
  machine.threads = options.engine.threads > 0 ? options.engine.threads : AvailableCpus();
  machine.isa = options.engine.isa;
  machine.reader = options.engine.io;
  std::shared_ptr<const File> largest;
  {
    FM_ASSIGN_OR_RETURN(const std::unique_ptr<ModelFile> file, ModelFile::Open(model));
    FM_ASSIGN_OR_RETURN(report.facts, Inspect(*file, options.engine.experts_per_token,
                                              options.engine.kv.value_or(KvType::kF16)));
    largest = *std::ranges::max_element(
        file->files(), {}, [](const std::shared_ptr<const File>& f) { return f->size(); });
  }
  FM_ASSIGN_OR_RETURN(report.machine, MeasureMachine(report.facts, largest.get(), machine));
  FM_ASSIGN_OR_RETURN(const KernelTable* kernels, SelectKernels(machine.isa));
  ThreadPool pool(machine.threads);
  for (const uint64_t budget : options.budgets) {
    BudgetReport one;
    const uint64_t buffer = SamplerBytes(budget);
    FM_ASSIGN_OR_RETURN(DiskSampler disk,
                        DiskSampler::Create(*largest, report.machine.disk.device, buffer));
    const Instruments instruments = {report.facts, *kernels, pool, disk};
    const Status status = BudgetBench(options, text, instruments, progress)
                              .Run(model, budget > 0 ? budget - buffer : 0, one);
    if (!status.has_value()) {
      const bool nothing_ran = report.budgets.empty() && one.series.empty();
      if (status.error().code != ErrorCode::kCancelled || nothing_ran) {
        return std::unexpected(status.error());
      }
      report.interrupted = true;
      if (one.series.empty()) break;
    }
    if (budget > 0) one.budget_bytes = budget;
    if (status.has_value()) MeasureSpeedKept(instruments, options.engine.cancel, one);
    MachineSpeed machine_then = report.machine;
    const TimedBytes sampled = one.disk();
    if (sampled.bytes > 0) machine_then.disk.bytes_per_s = sampled.per_s();
    Evaluate(options, report.facts, machine_then, one);
    report.budgets.push_back(std::move(one));
    if (report.interrupted) break;
  }
  return report;
}

}  // namespace flashmoe
