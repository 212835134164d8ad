#include "engine/evaluate.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace flashmoe {
namespace {

double LogSumExp(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float x : logits) sum += std::exp(x - largest);
  return largest + std::log(sum);
}

std::vector<std::pair<int32_t, double>> Best(std::span<const float> logits, double log_sum, int n) {
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto middle = ids.begin() + std::min<int64_t>(n, static_cast<int64_t>(ids.size()));
  std::partial_sort(ids.begin(), middle, ids.end(), [&](int32_t a, int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  std::vector<std::pair<int32_t, double>> best;
  for (auto it = ids.begin(); it != middle; ++it) best.emplace_back(*it, logits[*it] - log_sum);
  return best;
}

}  // namespace

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
    if (top > 0) entry.top = Best(logits, log_sum, top);
    result.positions.push_back(std::move(entry));
  };
  FM_RETURN_IF_ERROR(session.Evaluate(tokens, look, progress));
  const auto predicted = std::count_if(result.positions.begin(), result.positions.end(),
                                       [](const auto& p) { return p.has_next; });
  if (predicted > 0) result.perplexity = std::exp(result.nll / static_cast<double>(predicted));
  return result;
}

}  // namespace flashmoe
