#include "measure/timed_run.h"

#include <algorithm>
#include <numeric>

#include "base/clock.h"
#include "base/memory.h"

namespace flashmoe {
namespace {

void Add(const StepTimes& b, StepTimes& sum) {
  sum.passes += b.passes;
  sum.tokens += b.tokens;
  for (size_t layer = 0; layer < sum.layers.size(); ++layer) {
    for (size_t step = 0; step < kStepCount; ++step) {
      sum.layers[layer][step] += b.layers[layer][step];
    }
  }
}

void Add(const StoreStats& b, StoreStats& sum) {
  sum.requests += b.requests;
  sum.hits += b.hits;
  sum.bytes_read += b.bytes_read;
  sum.guesses_read += b.guesses_read;
  sum.guesses_in_time += b.guesses_in_time;
  sum.guesses_late += b.guesses_late;
  sum.bytes_guessed += b.bytes_guessed;
  sum.bytes_guessed_used += b.bytes_guessed_used;
  sum.slots_given_back += b.slots_given_back;
  sum.wait_s += b.wait_s;
  sum.read_s += b.read_s;
}

}  // namespace

TimedRun& TimedRun::operator+=(const TimedRun& other) {
  tokens += other.tokens;
  seconds += other.seconds;
  Add(other.steps, steps);
  Add(other.store, store);
  disk += other.disk;
  memory += other.memory;
  return *this;
}

double TimedRun::hit_rate() const {
  if (store.requests == 0) return 1;
  return static_cast<double>(store.hits) / static_cast<double>(store.requests);
}

uint64_t TimedRun::bytes_wasted() const { return store.bytes_guessed - store.bytes_guessed_used; }

uint64_t TimedRun::bytes_missed() const {
  return store.bytes_read - std::min(store.bytes_read, bytes_wasted());
}

double TimedRun::read_bytes_per_s() const {
  return store.read_s > 0 ? static_cast<double>(store.bytes_read) / store.read_s : 0;
}

double TimedRun::disk_busy_s() const { return std::min(store.read_s, seconds); }

std::vector<TimePart> TimedRun::Parts() const {
  const StepSeconds sum = steps.Sum();
  const auto of = [&](Step step) { return sum[static_cast<size_t>(step)]; };
  // What the store does besides waiting: finding experts, handing them out.
  const double waited_s = std::min(store.wait_s, of(Step::kWait));
  std::vector<TimePart> parts = {{"waiting for reads", waited_s},
                                 {"cache", of(Step::kWait) - waited_s + of(Step::kRequest)}};
  for (const Step step :
       {Step::kExperts, Step::kSharedExpert, Step::kDeltaNet, Step::kAttention, Step::kRouter,
        Step::kLookahead, Step::kNorms, Step::kCombine, Step::kEmbedding, Step::kHead}) {
    parts.push_back({std::string(Name(step)), of(step)});
  }
  const double counted_s = std::accumulate(
      parts.begin(), parts.end(), 0.0, [](double s, const TimePart& p) { return s + p.seconds; });
  parts.push_back({"between passes", std::max(0.0, seconds - counted_s)});
  std::erase_if(parts, [](const TimePart& part) { return part.seconds <= 0; });
  return parts;
}

Result<TimedRun> TimeRun(Model& model, Session& session, std::span<const int32_t> tokens,
                         Feeding feeding, DiskSampler& disk, MemorySampler& memory) {
  TimedRun run;
  run.tokens = static_cast<int64_t>(tokens.size());
  run.position = static_cast<int64_t>(session.tokens().size());
  std::vector<int32_t> all = session.tokens();
  all.insert(all.end(), tokens.begin(), tokens.end());
  disk.Sample(run.disk);
  model.clock().Reset();
  model.store().ResetStats();
  const double start_s = NowSeconds();
  double paused_s = 0;
  if (feeding == Feeding::kAtOnce) {
    FM_RETURN_IF_ERROR(session.Sync(all));
  } else {
    for (const int32_t token : tokens) {
      FM_RETURN_IF_ERROR(session.Append(token));
      const double now_s = NowSeconds();
      if (!disk.Due(now_s)) continue;
      memory.Sample(run.memory);
      disk.Sample(run.disk);
      paused_s += NowSeconds() - now_s;
    }
  }
  run.seconds = NowSeconds() - start_s - paused_s;
  run.steps = model.clock().decode();
  Add(model.clock().prefill(), run.steps);  // a prompt may end with a pass of one token
  run.store = model.store().stats();
  disk.Sample(run.disk);
  run.ended_s = NowSeconds();
  run.resident_bytes = ResidentBytes();
  return run;
}

}  // namespace flashmoe
