// The requests that run, and the steps that take all of them on together.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "engine/engine.h"
#include "engine/job.h"
#include "engine/pass_plan.h"
#include "engine/running_job.h"
#include "engine/scheduler_stats.h"
#include "model/model.h"
#include "state/sequence_state.h"

namespace flashmoe {

struct BatchOptions {
  int slots = 1;
  int64_t positions_max = 0;        // as SchedulerOptions, 0: as planned
  double step_s = 0.5;              // as SchedulerOptions
  int64_t checkpoint_every = 4096;  // likewise
};

// Used by one thread. Counts what it does in `stats`.
class Batch {
 public:
  // The engine and the stats outlive this. REQUIRES: no more slots than the engine's sequences.
  static Result<std::unique_ptr<Batch>> Create(Engine& engine, const BatchOptions& options,
                                               SchedulerStats& stats);

  ~Batch();

  int running() const { return running_; }
  // Whether there is a slot, and memory for the positions of this prompt. An empty batch has room
  // for everything that Validate() lets through.
  bool HasRoom(const GenerateRequest& request) const;

  // REQUIRES: HasRoom(), a valid request. `submitted_s`: by NowSeconds().
  void Start(Job job, double submitted_s);

  // Ends the jobs that were cancelled and takes the others one step on. `stop` is asked before
  // every layer: once it returns true, the step is given up and all its jobs end as cancelled.
  void Step(ForwardObserver* observer, const std::function<bool()>& stop);

  void CancelAll();

 private:
  struct Slot {
    SequenceState state;
    std::unique_ptr<RunningJob> job;  // null: free
    int64_t reserved = 0;             // positions that it may use
  };
  struct Taking;  // part in a step

  Batch(Engine& engine, const BatchOptions& options, SchedulerStats& stats);

  void EndCancelled();
  bool Reserve(Slot& slot, int64_t positions);
  int64_t RoundUp(int64_t positions) const;
  void GiveWay();
  std::vector<Taking> Plan();
  void BeginCheckpoints(Taking& taking);
  Status Forward(std::span<Taking> taking, ForwardObserver* observer,
                 const std::function<bool()>& stop);
  void NoteStep(std::span<const Taking> taking, double seconds);
  void TakeTokens(std::span<const Taking> taking);
  void TakeToken(Slot& slot, std::span<float> logits);
  void Fail(std::span<const Taking> taking, const Error& error);
  void End(Slot& slot, FinishReason reason, const Error* error = nullptr);

  Engine& engine_;
  const BatchOptions options_;
  SchedulerStats& stats_;
  std::vector<Slot> slots_;
  int running_ = 0;
  uint64_t started_ = 0;
  PassCost cost_;
  std::vector<float> logits_;  // [slots, vocab_rows]
};

}  // namespace flashmoe
