#include "bench/prediction/history.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace flashmoe {
namespace {

void Append(Guesses& guesses, std::span<const int32_t> ids) {
  for (const int32_t id : ids) {
    if (guesses.count == kGuesses) return;
    const auto end = guesses.ids.begin() + guesses.count;
    if (std::find(guesses.ids.begin(), end, id) == end) guesses.ids[guesses.count++] = id;
  }
}

}  // namespace

Guesses BestOf(std::span<const float> scores) {
  std::vector<int32_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  const auto middle = order.begin() + std::min<ptrdiff_t>(kGuesses, std::ssize(order));
  std::partial_sort(order.begin(), middle, order.end(), [&](int32_t a, int32_t b) {
    return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
  });
  Guesses guesses;
  Append(guesses, {order.begin(), middle});
  return guesses;
}

LayerHistory::LayerHistory(int experts)
    : experts_(static_cast<size_t>(experts)),
      uses_(experts_),
      pairs_(experts_ * experts_),
      befores_(experts_) {}

Guesses LayerHistory::Recent() const {
  Guesses guesses;
  Append(guesses, recent_);
  return guesses;
}

Guesses LayerHistory::Frequent() const {
  return BestOf(std::vector<float>(uses_.begin(), uses_.end()));
}

// The mean over the choices before of P(expert | that choice), each with one imagined use that is
// spread as the layer's uses are.
void LayerHistory::PairLogits(std::span<const int32_t> before, std::span<float> out) const {
  std::fill(out.begin(), out.end(), 0.0f);
  const auto total = static_cast<float>(std::max<uint64_t>(tokens_, 1));
  for (const int32_t b : before) {
    for (size_t e = 0; e < experts_; ++e) {
      const float share = (static_cast<float>(uses_[e]) + 0.1f) / total;
      out[e] += (static_cast<float>(pairs_[Pair(b, e)]) + share) /
                (static_cast<float>(befores_[b]) + 1.0f);
    }
  }
  for (float& value : out) value = std::log(value / static_cast<float>(before.size()));
}

Guesses LayerHistory::Paired(std::span<const int32_t> before) const {
  if (before.empty()) return {};
  std::vector<float> logits(experts_);
  PairLogits(before, logits);
  return BestOf(logits);
}

Guesses LayerHistory::SameToken(int32_t token) const {
  Guesses guesses;
  if (const auto last = last_of_.find(token); last != last_of_.end()) Append(guesses, last->second);
  Append(guesses, recent_);
  return guesses;
}

void LayerHistory::Learn(int32_t token, std::span<const int32_t> before,
                         std::span<const int32_t> chosen) {
  ++tokens_;
  std::vector<int32_t> recent(chosen.begin(), chosen.end());
  for (const int32_t id : recent_) {
    if (std::ranges::find(chosen, id) == chosen.end()) recent.push_back(id);
  }
  recent.resize(std::min<size_t>(recent.size(), kGuesses));
  recent_ = std::move(recent);
  for (const int32_t e : chosen) ++uses_[e];
  for (const int32_t b : before) {
    ++befores_[b];
    for (const int32_t e : chosen) ++pairs_[Pair(b, static_cast<size_t>(e))];
  }
  last_of_[token].assign(chosen.begin(), chosen.end());
}

}  // namespace flashmoe
