#include "chat/chat_request.h"

namespace flashmoe {

SamplingParams SamplingChoices::Over(SamplingParams defaults) const {
  SamplingParams params = std::move(defaults);
  params.temperature = temperature.value_or(params.temperature);
  params.top_p = top_p.value_or(params.top_p);
  params.min_p = min_p.value_or(params.min_p);
  params.presence_penalty = presence_penalty.value_or(params.presence_penalty);
  params.frequency_penalty = frequency_penalty.value_or(params.frequency_penalty);
  params.repetition_penalty = repetition_penalty.value_or(params.repetition_penalty);
  params.top_k = top_k.value_or(params.top_k);
  params.seed = seed.value_or(params.seed);
  if (!logit_bias.empty()) params.logit_bias = logit_bias;
  return params;
}

}  // namespace flashmoe
