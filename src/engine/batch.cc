#include "engine/batch.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/clock.h"

namespace flashmoe {
namespace {

// In which memory for keys and values is taken.
constexpr int64_t kPositionStep = 64;
// Answers that are to be no longer than this have their memory from the start. Longer ones, and
// those without a limit, take it as they grow: most end long before it.
constexpr int64_t kPromisedTokens = 1024;

// Positions that a request has to itself before it starts.
int64_t Promised(const GenerateRequest& request) {
  const bool short_answer = request.max_tokens > 0 && request.max_tokens <= kPromisedTokens;
  return std::ssize(request.prompt) + (short_answer ? request.max_tokens : 0);
}

}  // namespace

struct Batch::Taking {
  Slot* slot = nullptr;
  int64_t tokens = 0;
  bool reading = false;
  std::vector<PrefixStore::Draft> drafts = {};
  std::vector<RecurrentCopy> copies = {};  // into the drafts

  RunningJob& job() const { return *slot->job; }
};

Batch::Batch(Engine& engine, const BatchOptions& options, SchedulerStats& stats)
    : engine_(engine), options_(options), stats_(stats) {
  const Model& model = engine.model();
  const auto vocab = static_cast<size_t>(model.config().vocab_rows);
  logits_.resize(static_cast<size_t>(options.slots) * vocab);
  stats_.slots = options.slots;
  const MemoryPlan& plan = engine.plan().memory;
  stats_.positions_limit = plan.positions;
  if (options.positions_max > 0) {
    stats_.positions_limit = std::clamp(options.positions_max, plan.context, plan.positions);
  }
}

Batch::~Batch() = default;

Result<std::unique_ptr<Batch>> Batch::Create(Engine& engine, const BatchOptions& options,
                                             SchedulerStats& stats) {
  FM_CHECK(options.slots >= 1 && options.slots <= engine.model().options().sequences);
  std::unique_ptr<Batch> batch(new Batch(engine, options, stats));
  for (int i = 0; i < options.slots; ++i) {
    FM_ASSIGN_OR_RETURN(SequenceState state, engine.NewState());
    batch->slots_.push_back({std::move(state), nullptr, 0});
  }
  return batch;
}

int64_t Batch::RoundUp(int64_t positions) const {
  const int64_t steps = (positions + kPositionStep - 1) / kPositionStep;
  return std::min(steps * kPositionStep, engine_.model().options().context);
}

bool Batch::HasRoom(const GenerateRequest& request) const {
  if (running_ == std::ssize(slots_)) return false;
  const int64_t needed = RoundUp(Promised(request));
  return running_ == 0 || stats_.positions_used + needed <= stats_.positions_limit;
}

// Returns false if the memory for keys and values does not suffice.
bool Batch::Reserve(Slot& slot, int64_t positions) {
  if (positions <= slot.reserved) return true;
  const int64_t more = RoundUp(positions) - slot.reserved;
  if (stats_.positions_used + more > stats_.positions_limit) return false;
  slot.reserved += more;
  stats_.positions_used += more;
  return true;
}

void Batch::Start(Job job, double submitted_s) {
  const auto free =
      std::ranges::find_if(slots_, [](const Slot& slot) { return slot.job == nullptr; });
  FM_CHECK(free != slots_.end());
  const double now = NowSeconds();
  stats_.queue.Add(now - submitted_s);
  free->job = std::make_unique<RunningJob>(engine_, std::move(job));
  RunningJob& running = *free->job;
  running.number = started_++;
  running.submitted_s = submitted_s;
  stats_.running = ++running_;
  FM_CHECK(Reserve(*free, Promised(running.job.request)));
  if (PrefixStore* prefixes = engine_.prefixes()) {
    running.reused = prefixes->Restore(running.job.request.prompt, free->state);
    stats_.reused_tokens += static_cast<uint64_t>(running.reused);
    running.checkpoints =
        CheckpointPositions(running.job.request, running.reused, options_.checkpoint_every);
  }
  stats_.prompt_tokens += static_cast<uint64_t>(running.prompt());
}

void Batch::BeginCheckpoints(Taking& taking) {
  std::vector<int64_t>& at = taking.job().checkpoints;
  const int64_t end = taking.slot->state.position() + taking.tokens;
  const auto first_later = std::ranges::upper_bound(at, end);
  if (first_later == at.begin()) return;
  const std::vector<int64_t> now(at.begin(), first_later);
  at.erase(at.begin(), first_later);
  taking.drafts = engine_.prefixes()->Begin(taking.job().job.request.prompt, now);
  for (const PrefixStore::Draft& draft : taking.drafts) {
    taking.copies.push_back({draft.end(), draft.recurrent()});
  }
}

void Batch::Step(ForwardObserver* observer, const std::function<bool()>& stop) {
  EndCancelled();
  std::vector<Taking> taking = Plan();
  if (taking.empty()) return;
  const double begin = NowSeconds();
  const Status status = Forward(taking, observer, stop);
  if (!status.has_value()) return Fail(taking, status.error());
  NoteStep(taking, NowSeconds() - begin);
  TakeTokens(taking);
}

void Batch::EndCancelled() {
  for (Slot& slot : slots_) {
    if (slot.job != nullptr && slot.job->cancelled()) End(slot, FinishReason::kCancelled);
  }
}

void Batch::CancelAll() {
  for (Slot& slot : slots_) {
    if (slot.job != nullptr) End(slot, FinishReason::kCancelled);
  }
}

// Jobs that have no memory for their next token wait until others end. If all of them wait, the one
// that started last gives way.
std::vector<Batch::Taking> Batch::Plan() {
  while (running_ > 0) {
    std::vector<PassCandidate> candidates;
    std::vector<Taking> taking;
    for (Slot& slot : slots_) {
      if (slot.job == nullptr || !Reserve(slot, slot.job->tokens())) continue;
      const int64_t at = slot.state.position();
      const bool reading = at < slot.job->prompt();
      candidates.push_back({at, reading ? slot.job->prompt() : at + 1, reading});
      taking.push_back({&slot, 0, reading});
    }
    if (taking.empty()) {
      GiveWay();
      continue;
    }
    const Model& model = engine_.model();
    const int64_t most =
        candidates.size() == 1 ? model.options().chunk_tokens : cost_.Affordable(options_.step_s);
    const auto slices =
        PlanPass(candidates, model.tokens_max(), std::min(most, model.options().chunk_tokens));
    for (size_t i = 0; i < taking.size(); ++i) taking[i].tokens = slices[i];
    std::erase_if(taking, [](const Taking& t) { return t.tokens == 0; });
    return taking;
  }
  return {};
}

void Batch::GiveWay() {
  Slot* last = nullptr;
  for (Slot& slot : slots_) {
    if (slot.job == nullptr) continue;
    if (last == nullptr || slot.job->number > last->job->number) last = &slot;
  }
  const Error error{ErrorCode::kOutOfMemory,
                    fmt::format("the memory for {} positions of all sequences is used up",
                                stats_.positions_limit),
                    {},
                    "give more --memory, a smaller --ctx, --kv q8, or run fewer requests at once",
                    0};
  End(*last, FinishReason::kLength, &error);
}

Status Batch::Forward(std::span<Taking> taking, ForwardObserver* observer,
                      const std::function<bool()>& stop) {
  std::vector<PassSlice> slices;
  for (Taking& t : taking) {
    BeginCheckpoints(t);
    slices.push_back({t.job().Slice(t.slot->state.position(), t.tokens), &t.slot->state, t.copies});
  }
  const auto nobody_waits = [&] {
    return std::ranges::all_of(taking, [](const Taking& t) { return t.job().cancelled(); });
  };
  const auto stops = [&] { return stop() || nobody_waits(); };
  const Status status = engine_.model().Forward(slices, observer, stops);
  for (Taking& t : taking) {
    if (t.drafts.empty()) continue;
    if (status.has_value()) {
      engine_.prefixes()->Commit(t.drafts, t.slot->state);
    } else {
      engine_.prefixes()->Drop(t.drafts);
    }
  }
  return status;
}

void Batch::NoteStep(std::span<const Taking> taking, double seconds) {
  int64_t tokens = 0, of_prompts = 0;
  for (const Taking& t : taking) {
    tokens += t.tokens;
    of_prompts += t.reading ? t.tokens : 0;
  }
  if (of_prompts > 0) cost_.Note(of_prompts, seconds);
  ++stats_.steps;
  stats_.step_tokens += static_cast<uint64_t>(tokens);
  stats_.step_s += seconds;
}

// Logits are wanted where a slice ends with the last token that is known.
void Batch::TakeTokens(std::span<const Taking> taking) {
  std::vector<int64_t> rows;
  std::vector<Slot*> slots;
  int64_t row = -1;
  for (const Taking& t : taking) {
    row += t.tokens;
    if (t.slot->state.position() < t.job().tokens()) continue;
    if (!t.job().answer.wants_tokens()) {
      End(*t.slot, FinishReason::kLength);
      continue;
    }
    rows.push_back(row);
    slots.push_back(t.slot);
  }
  if (rows.empty()) return;
  Model& model = engine_.model();
  const auto vocab = static_cast<size_t>(model.config().vocab_rows);
  const auto logits = std::span(logits_).first(rows.size() * vocab);
  model.Logits(rows, logits);
  for (size_t i = 0; i < slots.size(); ++i) TakeToken(*slots[i], logits.subspan(i * vocab, vocab));
}

void Batch::TakeToken(Slot& slot, std::span<float> logits) {
  RunningJob& job = *slot.job;
  const double now = NowSeconds();
  if (job.last_token_s == 0) {
    job.first_token_s = now;
    stats_.first_token.Add(now - job.submitted_s);
  } else {
    stats_.next_token.Add(now - job.last_token_s);
  }
  job.last_token_s = now;
  ++stats_.generated_tokens;
  const Result<bool> goes_on = job.answer.Step(logits);
  const bool full = slot.state.position() == slot.state.context();
  if (!goes_on.has_value()) {
    End(slot, FinishReason::kStop, &goes_on.error());
  } else if (!*goes_on || full) {
    End(slot, job.answer.finish());
  }
}

// The states hold parts of the step's tokens: none of its jobs can go on.
void Batch::Fail(std::span<const Taking> taking, const Error& error) {
  for (const Taking& t : taking) {
    const bool cancelled = error.code == ErrorCode::kCancelled;
    End(*t.slot, FinishReason::kCancelled, cancelled ? nullptr : &error);
  }
}

void Batch::End(Slot& slot, FinishReason reason, const Error* error) {
  const std::unique_ptr<RunningJob> job = std::move(slot.job);
  slot.state.Reset();
  slot.state.ReleasePositions();
  stats_.positions_used -= slot.reserved;
  slot.reserved = 0;
  stats_.running = --running_;
  const double now = NowSeconds();
  stats_.request.Add(now - job->submitted_s);
  if (error != nullptr) {
    ++stats_.ended_error;
    job->job.on_end(std::unexpected(*error));
    return;
  }
  ++(reason == FinishReason::kStop     ? stats_.ended_stop
     : reason == FinishReason::kLength ? stats_.ended_length
                                       : stats_.ended_cancelled);
  GenerateResult result = job->answer.Finish(reason);
  result.prompt_tokens_reused = job->reused;
  if (job->last_token_s > 0) {
    result.ttft_s = job->first_token_s - job->submitted_s;
    result.decode_s = now - job->first_token_s;
  }
  job->job.on_end(std::move(result));
}

}  // namespace flashmoe
