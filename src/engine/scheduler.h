// Requests that run together. One thread of the scheduler's own drives the model; each of its steps
// takes the last token of every answer that is being written and slices of the prompts that are
// being read through the model in one pass, so that all of them share the experts that are read.
//
// What an answer says does not depend on its company: it equals the one that Generate() gives from
// an empty session, bit for bit in the logits.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/status.h"
#include "engine/engine.h"
#include "engine/job.h"
#include "engine/scheduler_stats.h"
#include "model/model.h"

namespace flashmoe {

struct SchedulerOptions {
  int slots = 4;       // requests that run at once; at most EngineOptions::sequences
  int queue_max = 64;  // requests that wait; one more is refused
  // Of keys and values, by all that run; 0: as many as were planned. At least a context.
  int64_t positions_max = 0;
  // How long a step may take because of prompts in it, while others wait for its end; where it
  // takes longer anyway, twice as long.
  double step_s = 0.5;
  int64_t checkpoint_every = 4096;  // positions of a prompt (> 0), besides those that requests name
};

class Scheduler {
 public:
  // The engine is the scheduler's alone from here on. REQUIRES: it outlives this, was loaded with
  // at least as many sequences as there are slots, and has no sessions in use.
  static Result<std::unique_ptr<Scheduler>> Create(Engine& engine, const SchedulerOptions& options);
  // As Stop(0).
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Queues a job and returns its number. A job that is refused gets no callback: kInvalidInput
  // names what is wrong with the request (a prompt that is too long, say); kBusy: the queue is full
  // or the scheduler stops, and Error::retry_after_s says when a place will probably be free. From
  // any thread.
  Result<uint64_t> Submit(Job job);

  // Takes no more jobs, cancels those that wait, lets running ones go on for up to `grace_s` and
  // then cancels them too. Returns when all have ended. From any thread but the scheduler's.
  void Stop(double grace_s);

  // From any thread. As of the last step, or of the last second.
  SchedulerStats stats() const;

  // Calls fn on the scheduler's thread, between two steps, and returns when it has: the way to look
  // into the engine (the expert store, say) while it is at work. From any thread but that one. fn
  // is not called after Stop(); returns whether it was.
  bool Inspect(const std::function<void(Engine&)>& fn);

  // Sees every pass from now on, on the scheduler's thread; null: nobody. From any thread.
  void SetObserver(std::shared_ptr<ForwardObserver> observer);

  const SchedulerOptions& options() const;

 private:
  struct Impl;
  explicit Scheduler(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace flashmoe
