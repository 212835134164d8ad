#include "model/step_times.h"

#include <numeric>

namespace flashmoe {

std::string_view Name(Step step) {
  static constexpr std::array<std::string_view, kStepCount> kNames = {
      "embedding", "norms",         "attention", "delta net",         "router",  "request",
      "lookahead", "shared expert", "experts",   "waiting for reads", "combine", "head"};
  return kNames[static_cast<size_t>(step)];
}

StepSeconds StepTimes::Sum() const {
  StepSeconds sum = {};
  for (const StepSeconds& layer : layers) {
    for (size_t step = 0; step < kStepCount; ++step) sum[step] += layer[step];
  }
  return sum;
}

double StepTimes::total() const {
  const StepSeconds sum = Sum();
  return std::accumulate(sum.begin(), sum.end(), 0.0);
}

void StepClock::Reset() {
  for (StepTimes* times : {&prefill_, &decode_}) {
    *times = {};
    times->layers.resize(outside_ + 1);
  }
}

}  // namespace flashmoe
