// How well a model predicts a text.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/progress.h"
#include "base/status.h"
#include "engine/engine.h"
#include "engine/logprobs.h"
#include "engine/session.h"

namespace flashmoe {

struct EvaluatedPosition {
  int32_t token = 0;
  // Natural logarithm of the probability of the next token; the last position has none.
  double next_logprob = 0;
  bool has_next = false;
  // The n best ids with their log-probabilities, best first; padding rows included in none.
  std::vector<TokenLogprob> top;
};

struct Evaluation {
  std::vector<EvaluatedPosition> positions;
  double nll = 0;         // sum of -next_logprob
  double perplexity = 0;  // exp of its mean; 0 for a single token
};

Result<Evaluation> Evaluate(Engine& engine, Session& session, std::span<const int32_t> tokens,
                            int top, const ProgressFn& progress = {});

}  // namespace flashmoe
