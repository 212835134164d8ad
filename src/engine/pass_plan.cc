#include "engine/pass_plan.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "kernels/kernels.h"

namespace flashmoe {
namespace {

constexpr int64_t kUnit = kDeltaChunk;
constexpr double kForget = 0.9;

// What a candidate can take of `room` tokens.
int64_t SliceOf(const PassCandidate& c, int64_t room) {
  if (c.stop - c.position <= room) return c.stop - c.position;
  return std::max<int64_t>(room - (c.position + room) % kUnit, 0);
}

}  // namespace

std::vector<int64_t> PlanPass(std::span<const PassCandidate> candidates, int64_t tokens_max,
                              int64_t prompt_tokens) {
  std::vector<int64_t> slices(candidates.size(), 0);
  std::vector<size_t> readers;
  int64_t room = tokens_max;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const PassCandidate& c = candidates[i];
    if (c.stop == c.position) continue;
    if (c.reading) {
      readers.push_back(i);
    } else {
      slices[i] = 1;
      --room;
    }
  }
  // Whoever needs least comes first, and the earlier of equals; what one leaves, the next ones
  // share.
  std::ranges::sort(readers, {}, [&](size_t i) {
    return std::pair(candidates[i].stop - candidates[i].position, i);
  });
  int64_t budget = std::min(room, prompt_tokens);
  for (size_t r = 0; r < readers.size(); ++r) {
    const int64_t sharing = static_cast<int64_t>(readers.size() - r);
    const PassCandidate& c = candidates[readers[r]];
    const int64_t whole_blocks = (budget / sharing + kUnit - 1) / kUnit * kUnit;
    int64_t slice = SliceOf(c, std::min(budget, whole_blocks));
    if (r == 0 && slice == 0) slice = SliceOf(c, std::min(room, kUnit));
    slices[readers[r]] = slice;
    budget = std::max<int64_t>(budget - slice, 0);
  }
  return slices;
}

void PassCost::Note(int64_t prompt_tokens, double seconds) {
  for (double* sum : {&n_, &x_, &y_, &xx_, &xy_}) *sum *= kForget;
  const auto x = static_cast<double>(prompt_tokens);
  n_ += 1;
  x_ += x;
  y_ += seconds;
  xx_ += x * x;
  xy_ += x * seconds;
}

int64_t PassCost::Affordable(double seconds) const {
  if (n_ == 0) return 4 * kUnit;
  // The line of least squares; through zero while all steps were alike.
  const double variance = xx_ - x_ * x_ / n_;
  double slope = y_ / x_;
  if (variance > kUnit * kUnit) {
    slope = std::clamp((xy_ - x_ * y_ / n_) / variance, 0.01 * slope, slope);
  }
  const double fixed = (y_ - slope * x_) / n_;
  const double tokens = std::max(seconds - fixed, fixed) / slope;
  if (!(tokens > static_cast<double>(kUnit))) return kUnit;
  return static_cast<int64_t>(std::min(tokens, 1e6)) / kUnit * kUnit;
}

}  // namespace flashmoe
