// Logarithms of probabilities, as evaluation and clients of a server ask for them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace flashmoe {

struct TokenLogprob {
  int32_t token = 0;
  double logprob = 0;
};

// log(sum(exp(logits))). REQUIRES: not empty.
double LogSumExp(std::span<const float> logits);

// The `count` likeliest tokens, best first, the lower id on ties.
std::vector<TokenLogprob> BestLogprobs(std::span<const float> logits, double log_sum_exp,
                                       int count);

}  // namespace flashmoe
