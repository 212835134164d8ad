// A submitted job and what came of it.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/scheduler.h"

namespace flashmoe {

struct Ticket {
  std::shared_ptr<CancelFlag> cancel = std::make_shared<CancelFlag>();
  std::string text;             // of its pieces
  std::vector<int32_t> tokens;  // likewise
  std::promise<Result<GenerateResult>> promise;
  std::future<Result<GenerateResult>> end = promise.get_future();
  std::function<bool(const AnswerPiece&)> on_piece;

  Result<uint64_t> Submit(Scheduler& scheduler, GenerateRequest request) {
    Job job;
    job.request = std::move(request);
    job.cancel = cancel;
    job.on_piece = [this](const AnswerPiece& piece) {
      text += piece.text;
      if (piece.token >= 0) tokens.push_back(piece.token);
      return !on_piece || on_piece(piece);
    };
    job.on_end = [this](Result<GenerateResult> result) { promise.set_value(std::move(result)); };
    return scheduler.Submit(std::move(job));
  }
};

// Greedy, to the end of `max_tokens`.
inline GenerateRequest GreedyRequest(std::vector<int32_t> prompt, int64_t max_tokens) {
  GenerateRequest request;
  request.prompt = std::move(prompt);
  request.sampling.temperature = 0;
  request.max_tokens = max_tokens;
  request.ignore_stop_tokens = true;
  return request;
}

}  // namespace flashmoe
