#include "tests/support/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace flashmoe {
namespace {

double LogSumExp(std::span<const float> x) {
  const double largest = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (const float v : x) sum += std::exp(v - largest);
  return largest + std::log(sum);
}

struct SquareSums {
  double difference = 0, reference = 0;
  bool comparable = true;

  void Add(std::span<const float> got, std::span<const float> want) {
    comparable = comparable && got.size() == want.size();
    for (size_t i = 0; comparable && i < want.size(); ++i) {
      const double d = static_cast<double>(got[i]) - want[i];
      difference += d * d;
      reference += static_cast<double>(want[i]) * want[i];
    }
    comparable = comparable && std::isfinite(difference);
  }
  double Ratio() const {
    if (!comparable) return std::numeric_limits<double>::infinity();
    return difference == 0 ? 0 : difference / reference;
  }
};

}  // namespace

double Nmse(std::span<const float> got, std::span<const float> want) {
  SquareSums sums;
  sums.Add(got, want);
  return sums.Ratio();
}

double Nmse(const LogitRows& got, const LogitRows& want) {
  SquareSums sums;
  sums.comparable = got.size() == want.size();
  for (size_t i = 0; sums.comparable && i < got.size(); ++i) sums.Add(got[i], want[i]);
  return sums.Ratio();
}

double KlDivergence(std::span<const float> got, std::span<const float> want) {
  if (got.size() != want.size()) return std::numeric_limits<double>::infinity();
  const double log_got = LogSumExp(got), log_want = LogSumExp(want);
  double sum = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double p = want[i] - log_want;
    sum += std::exp(p) * (p - (got[i] - log_got));
  }
  return sum;
}

int32_t ArgMax(std::span<const float> x) {
  return static_cast<int32_t>(std::max_element(x.begin(), x.end()) - x.begin());
}

float Margin(std::span<const float> x) {
  const auto best = std::max_element(x.begin(), x.end());
  float second = -std::numeric_limits<float>::infinity();
  for (auto it = x.begin(); it != x.end(); ++it) {
    if (it != best) second = std::max(second, *it);
  }
  return *best - second;
}

double LogProbability(std::span<const float> logits, int32_t id) {
  return logits[id] - LogSumExp(logits);
}

std::string FirstDifference(const LogitRows& got, const LogitRows& want) {
  if (got.size() != want.size()) {
    return fmt::format("{} positions where {} are expected", got.size(), want.size());
  }
  for (size_t t = 0; t < want.size(); ++t) {
    if (got[t].size() != want[t].size()) {
      return fmt::format("position {}: {} logits, not {}", t, got[t].size(), want[t].size());
    }
    for (size_t i = 0; i < want[t].size(); ++i) {
      if (std::bit_cast<uint32_t>(got[t][i]) == std::bit_cast<uint32_t>(want[t][i])) continue;
      return fmt::format("position {} of {}, logit {}: {:.9g}, not {:.9g}; NMSE over all {:.3g}", t,
                         want.size(), i, got[t][i], want[t][i], Nmse(got, want));
    }
  }
  return {};
}

void Agreement::Add(std::span<const float> got, std::span<const float> want, float margin) {
  kl_sum += KlDivergence(got, want);
  ++positions;
  if (Margin(want) <= margin) return;
  ++decided;
  agreeing += got.size() == want.size() && ArgMax(got) == ArgMax(want) ? 1 : 0;
}

Agreement Compare(const LogitRows& got, const LogitRows& want, float margin) {
  Agreement agreement;
  for (size_t t = 0; t < want.size(); ++t) {
    agreement.Add(t < got.size() ? std::span<const float>(got[t]) : std::span<const float>(),
                  want[t], margin);
  }
  return agreement;
}

std::string Agreement::ToString() const {
  return fmt::format("mean KL {:.3g} over {} positions, the same best token at {} of {} ({:.2f} %)",
                     mean_kl(), positions, agreeing, decided, 100 * top1());
}

}  // namespace flashmoe
