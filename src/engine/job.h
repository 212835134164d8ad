// A request for a scheduler, and whom to tell what comes of it.
#pragma once

#include <functional>
#include <memory>

#include "base/cancel.h"
#include "base/status.h"
#include "engine/answer.h"
#include "engine/generate.h"

namespace flashmoe {

// Callbacks come from the scheduler's thread, which they hold up: they should hand things over and
// return. They may call Scheduler::Submit() and stats().
struct Job {
  GenerateRequest request;
  GrowingAnswer::OnPiece on_piece;  // returning false ends the answer; may be empty
  // Exactly once for a job that Submit() took, and the last call of the job. The result's ttft_s
  // counts from Submit(). An error says why there is no answer, or why it broke off.
  std::function<void(Result<GenerateResult>)> on_end;
  // Looked at before every step and, where nobody else waits for the step, before every layer: the
  // job ends with FinishReason::kCancelled and what there was. May be null.
  std::shared_ptr<const CancelFlag> cancel;
};

}  // namespace flashmoe
