// A job in a slot: how far it is.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "engine/answer.h"
#include "engine/engine.h"
#include "engine/job.h"

namespace flashmoe {

struct RunningJob {
  Job job;
  GrowingAnswer answer;
  uint64_t number = 0;      // in order of their start
  double submitted_s = 0;   // by NowSeconds()
  double last_token_s = 0;  // likewise; 0: none yet
  double first_token_s = 0;
  int64_t reused = 0;
  std::vector<int64_t> checkpoints;  // to be made, ascending

  RunningJob(Engine& engine, Job j)
      : job(std::move(j)), answer(engine, job.request, job.on_piece) {}

  bool cancelled() const { return job.cancel != nullptr && job.cancel->IsSet(); }
  int64_t prompt() const { return std::ssize(job.request.prompt); }
  // Tokens known so far, of which the last may have to go through the model yet.
  int64_t tokens() const { return prompt() + std::ssize(answer.tokens()); }
  std::span<const int32_t> Slice(int64_t position, int64_t tokens) const {
    const auto at = static_cast<size_t>(position), n = static_cast<size_t>(tokens);
    if (position < prompt()) return std::span(job.request.prompt).subspan(at, n);
    return std::span(answer.tokens()).subspan(at - job.request.prompt.size(), n);
  }
};

// Where a later prompt will probably part from this one: at the places that the request names, near
// its end, where the next turn goes on, and `every` so many positions. Ascending multiples of 64,
// beyond what was `reused`.
std::vector<int64_t> CheckpointPositions(const GenerateRequest& request, int64_t reused,
                                         int64_t every);

}  // namespace flashmoe
