#include "engine/evaluate.h"

#include <algorithm>
#include <cmath>

#include "engine/logprobs.h"

namespace flashmoe {
Result<Evaluation> Evaluate(Engine& engine, Session& session, std::span<const int32_t> tokens,
                            int top, const ProgressFn& progress) {
  if (tokens.empty()) return InvalidInput("the text is empty", {}, "give some text or tokens");
  Evaluation result;
  const auto valid = static_cast<size_t>(engine.valid_vocab());
  const auto look = [&](int64_t position, std::span<const float> all) {
    const std::span<const float> logits = all.first(valid);
    const double log_sum = LogSumExp(logits);
    EvaluatedPosition entry;
    entry.token = tokens[position];
    const auto next = static_cast<size_t>(position) + 1;
    if (next < tokens.size() && static_cast<size_t>(tokens[next]) < valid) {
      entry.has_next = true;
      entry.next_logprob = logits[tokens[next]] - log_sum;
      result.nll -= entry.next_logprob;
    }
    if (top > 0) entry.top = BestLogprobs(logits, log_sum, top);
    result.positions.push_back(std::move(entry));
  };
  FM_RETURN_IF_ERROR(session.Evaluate(tokens, look, progress));
  const auto predicted = std::count_if(result.positions.begin(), result.positions.end(),
                                       [](const auto& p) { return p.has_next; });
  if (predicted > 0) result.perplexity = std::exp(result.nll / static_cast<double>(predicted));
  return result;
}

}  // namespace flashmoe
