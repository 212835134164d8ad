#include "sample/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <utility>

#include "base/check.h"
#include "sample/weight.h"

namespace flashmoe {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
constexpr float kLargest = std::numeric_limits<float>::max();

Status CheckRange(const char* name, float value, float min, float max) {
  if (value >= min && value <= max) return {};  // false for NaN
  return InvalidInput(fmt::format("{} is {}", name, value), {},
                      fmt::format("it must lie between {} and {}", min, max));
}

// The best id, the lowest one on ties; NaN never is.
int32_t BestToken(std::span<const float> logits) {
  int32_t best = 0;
  float best_logit = kMinusInfinity;
  for (size_t id = 0; id < logits.size(); ++id) {
    if (logits[id] > best_logit) {
      best_logit = logits[id];
      best = static_cast<int32_t>(id);
    }
  }
  return best;
}

// e^((logit - best) / temperature). An infinite logit counts as the largest finite one.
double Weight(float logit, float best, float temperature) {
  const double gap = static_cast<double>(std::min(logit, kLargest)) - static_cast<double>(best);
  return ExpNonPositive(gap / static_cast<double>(temperature));
}

// Weights in steps of a sixteenth to an eighth, the heaviest (1) in bucket 0.
constexpr size_t kBuckets = 8 * 90;  // down to 2^-90, below the lightest weight
size_t Bucket(double weight) {
  const uint64_t below = (std::bit_cast<uint64_t>(1.0) - std::bit_cast<uint64_t>(weight)) >> 49;
  return std::min<size_t>(below, kBuckets - 1);
}

}  // namespace

bool Sampler::IsBetter(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

Status Validate(const SamplingParams& params, int32_t vocab) {
  FM_RETURN_IF_ERROR(CheckRange("temperature", params.temperature, 0, 100));
  if (params.top_k < 0) {
    return InvalidInput(fmt::format("top_k is {}", params.top_k), {},
                        "it must be 0 (no limit) or more");
  }
  FM_RETURN_IF_ERROR(CheckRange("top_p", params.top_p, 0, 1));
  FM_RETURN_IF_ERROR(CheckRange("min_p", params.min_p, 0, 1));
  FM_RETURN_IF_ERROR(CheckRange("presence_penalty", params.presence_penalty, -2, 2));
  FM_RETURN_IF_ERROR(CheckRange("frequency_penalty", params.frequency_penalty, -2, 2));
  FM_RETURN_IF_ERROR(CheckRange("repetition_penalty", params.repetition_penalty, 0.01f, 100));
  for (const auto& [id, bias] : params.logit_bias) {
    if (id < 0 || id >= vocab) {
      return InvalidInput(fmt::format("logit_bias names token {}", id), {},
                          fmt::format("the model's tokens are 0 to {}", vocab - 1));
    }
    FM_RETURN_IF_ERROR(
        CheckRange(fmt::format("logit_bias of token {}", id).c_str(), bias, -100, 100));
  }
  return {};
}

Sampler::Sampler(SamplingParams params, int32_t valid_vocab)
    : params_(std::move(params)), valid_vocab_(valid_vocab), rng_state_(params_.seed) {
  FM_CHECK(valid_vocab >= 1);
  generated_count_.resize(static_cast<size_t>(valid_vocab));
  seen_.resize(static_cast<size_t>(valid_vocab));
}

void Sampler::SeePrompt(std::span<const int32_t> tokens) {
  for (const int32_t token : tokens) Count(token, 0);
}

void Sampler::Count(int32_t token, uint32_t generated) {
  if (token < 0 || token >= valid_vocab_) return;
  const auto id = static_cast<size_t>(token);
  generated_count_[id] += generated;
  if (seen_[id]) return;
  seen_[id] = true;
  seen_ids_.push_back(token);
}

void Sampler::ApplyPenalties(std::span<float> logits) const {
  const bool any = params_.repetition_penalty != 1 || params_.presence_penalty != 0 ||
                   params_.frequency_penalty != 0;
  if (any) {
    for (const int32_t token : seen_ids_) {
      const auto id = static_cast<size_t>(token);
      float& logit = logits[id];
      logit = logit > 0 ? logit / params_.repetition_penalty : logit * params_.repetition_penalty;
      const uint32_t count = generated_count_[id];
      if (count == 0) continue;
      logit -= params_.presence_penalty;
      logit -= params_.frequency_penalty * static_cast<float>(count);
    }
  }
  for (const auto& [id, bias] : params_.logit_bias) {
    if (id >= 0 && id < valid_vocab_) logits[static_cast<size_t>(id)] += bias;
  }
}

int32_t Sampler::Sample(std::span<float> logits) {
  FM_CHECK(logits.size() >= static_cast<size_t>(valid_vocab_));
  const std::span<float> valid = logits.first(static_cast<size_t>(valid_vocab_));
  ApplyPenalties(valid);
  int32_t token = 0;
  if (params_.temperature == 0) {
    token = BestToken(valid);
  } else {
    if (params_.top_k > 0 && params_.top_k < valid_vocab_) {
      CollectTopK(valid);
    } else {
      CollectAll(valid);
    }
    if (params_.top_p < 1) KeepTopP();
    token = Draw();
  }
  Count(token, 1);
  return token;
}

// All tokens of any weight, by id.
void Sampler::CollectAll(std::span<const float> logits) {
  candidates_.clear();
  const float best = std::min(logits[static_cast<size_t>(BestToken(logits))], kLargest);
  for (size_t id = 0; id < logits.size(); ++id) {
    if (!(logits[id] > kMinusInfinity)) continue;
    const double weight = Weight(logits[id], best, params_.temperature);
    if (weight > 0) candidates_.push_back({weight, logits[id], static_cast<int32_t>(id)});
  }
}

// The top_k best tokens, best first; of equal ones, those with the lowest ids. A heap of top_k
// entries with the worst on top: nearly every token costs one comparison.
void Sampler::CollectTopK(std::span<const float> logits) {
  const auto k = static_cast<size_t>(params_.top_k);
  candidates_.clear();
  float worst = kMinusInfinity;  // of a full heap
  for (size_t id = 0; id < logits.size(); ++id) {
    if (!(logits[id] > worst)) continue;
    if (candidates_.size() == k) {
      std::pop_heap(candidates_.begin(), candidates_.end(), IsBetter);
      candidates_.pop_back();
    }
    candidates_.push_back({0, logits[id], static_cast<int32_t>(id)});
    std::push_heap(candidates_.begin(), candidates_.end(), IsBetter);
    if (candidates_.size() == k) worst = candidates_.front().logit;
  }
  if (candidates_.empty()) return;
  std::sort_heap(candidates_.begin(), candidates_.end(), IsBetter);
  const float best = std::min(candidates_.front().logit, kLargest);
  for (Candidate& c : candidates_) c.weight = Weight(c.logit, best, params_.temperature);
}

// The fewest best candidates whose weights make up top_p of the total, at least one. Only the
// bucket in which that share is reached is sorted.
void Sampler::KeepTopP() {
  if (candidates_.empty()) return;
  std::array<double, kBuckets> sums{};
  double total = 0;
  for (const Candidate& c : candidates_) {
    sums[Bucket(c.weight)] += c.weight;
    total += c.weight;
  }
  const double enough = static_cast<double>(params_.top_p) * total;
  size_t last = 0;
  double sum = 0;
  while (last + 1 < kBuckets && sum + sums[last] < enough) sum += sums[last++];

  std::vector<Candidate> edge;
  for (const Candidate& c : candidates_) {
    if (Bucket(c.weight) == last) edge.push_back(c);
  }
  std::sort(edge.begin(), edge.end(), IsBetter);
  size_t kept = 0;
  while (kept < edge.size() && (kept == 0 || sum < enough)) sum += edge[kept++].weight;
  std::erase_if(candidates_, [&](const Candidate& c) {
    const size_t bucket = Bucket(c.weight);
    return bucket > last || (bucket == last && kept < edge.size() && !IsBetter(c, edge[kept]));
  });
}

// A candidate with the probability of its weight, min_p applied.
int32_t Sampler::Draw() {
  const auto light = static_cast<double>(params_.min_p);  // the best one weighs 1
  double total = 0;
  for (const Candidate& c : candidates_) {
    if (c.weight >= light) total += c.weight;
  }
  double left = NextUniform(rng_state_) * total;
  int32_t token = 0;
  for (const Candidate& c : candidates_) {
    if (c.weight < light || c.weight == 0) continue;
    token = c.id;  // rounding may leave a little at the end: the last one takes it
    left -= c.weight;
    if (left < 0) break;
  }
  return token;
}

}  // namespace flashmoe
