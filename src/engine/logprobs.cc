#include "engine/logprobs.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace flashmoe {

double LogSumExp(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float x : logits) sum += std::exp(x - largest);
  return largest + std::log(sum);
}

std::vector<TokenLogprob> BestLogprobs(std::span<const float> logits, double log_sum_exp,
                                       int count) {
  const auto rank = [&](int32_t id) {  // NaN comes last
    return std::isnan(logits[id]) ? -std::numeric_limits<float>::infinity() : logits[id];
  };
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto middle = ids.begin() + std::min<int64_t>(count, static_cast<int64_t>(ids.size()));
  std::partial_sort(ids.begin(), middle, ids.end(), [&](int32_t a, int32_t b) {
    return rank(a) != rank(b) ? rank(a) > rank(b) : a < b;
  });
  std::vector<TokenLogprob> best;
  for (auto it = ids.begin(); it != middle; ++it) {
    best.push_back({*it, logits[*it] - log_sum_exp});
  }
  return best;
}

}  // namespace flashmoe
