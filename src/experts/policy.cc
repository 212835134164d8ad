#include "experts/policy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "base/check.h"
#include "experts/ranked_experts.h"

namespace flashmoe {
namespace {

// What all have in common: within a layer the order changes with uses only, not as time passes.
class RankedPolicy : public CachePolicy {
 public:
  explicit RankedPolicy(const RoutingShape& shape) : ranked_(shape.layers, shape.experts) {
    for (int key = 0; key < shape.layers * shape.experts; ++key) {  // first goes what nobody used
      ranked_.SetRank(static_cast<ExpertKey>(key), -std::numeric_limits<double>::infinity());
    }
  }
  void BeginToken(int /*layer*/) override {}
  void Offer(ExpertKey key) final { ranked_.Add(key); }
  void Withdraw(ExpertKey key) final { ranked_.Remove(key); }
  std::optional<Candidate> Cheapest(int layer) const final {
    const std::optional<ExpertKey> key = ranked_.Lowest(layer);
    if (!key.has_value()) return std::nullopt;
    return Candidate{*key, Worth(layer, ranked_.rank(*key))};
  }

 protected:
  virtual double Worth(int /*layer*/, double rank) const { return rank; }
  RankedExperts ranked_;
};

class LruPolicy final : public RankedPolicy {
 public:
  using RankedPolicy::RankedPolicy;
  void Use(ExpertKey key) override { ranked_.SetRank(key, ++uses_); }

 private:
  double uses_ = 0;  // exact for 2^53 of them
};

// Those used but once go first, in the order of their uses.
class Lru2Policy final : public RankedPolicy {
 public:
  explicit Lru2Policy(const RoutingShape& shape)
      : RankedPolicy(shape),
        last_(static_cast<size_t>(shape.layers) * static_cast<size_t>(shape.experts)) {}
  void Use(ExpertKey key) override {
    double& last = last_[key];
    ++uses_;
    ranked_.SetRank(key, last > 0 ? last : uses_ - kOnce);
    last = uses_;
  }

 private:
  static constexpr double kOnce = 1e15;  // more uses than there will be
  double uses_ = 0;
  std::vector<double> last_;  // [layers * experts] the number of the last use; 0: none
};

// Each use counts 1, and half of that `half_life` tokens later, a layer's time being the tokens
// that came to it. The rank is the binary logarithm of the sum, as it would be if all had happened
// at the layer's time 0: so it stays as it is while time passes.
class FadingPolicy : public RankedPolicy {
 public:
  FadingPolicy(const RoutingShape& shape, double half_life)
      : RankedPolicy(shape), half_life_(half_life), tokens_(static_cast<size_t>(shape.layers)) {}
  void BeginToken(int layer) override { tokens_[static_cast<size_t>(layer)] += 1; }
  void Use(ExpertKey key) override {
    const double now = HalfLives(ranked_.LayerOf(key));
    ranked_.SetRank(key, std::log2(std::exp2(ranked_.rank(key) - now) + 1) + now);
  }

 protected:
  // The layer's age.
  double HalfLives(int layer) const { return tokens_[static_cast<size_t>(layer)] / half_life_; }
  const double half_life_;

 private:
  std::vector<double> tokens_;  // [layers]
};

// The fading sum estimates how often a token chooses the expert, and so how many tokens will pass
// until the next one does. Two things tell layers apart: each has a time of its own, so that a
// chunk that has passed some layers and not yet others makes neither look old; and of two experts
// that are as popular, that one is due later whose layer has just had its turn.
class DuePolicy final : public FadingPolicy {
 public:
  DuePolicy(const RoutingShape& shape, double half_life)
      : FadingPolicy(shape, half_life), layers_(shape.layers) {}
  void BeginToken(int layer) override {
    FadingPolicy::BeginToken(layer);
    current_ = layer;
  }

 private:
  double Worth(int layer, double rank) const override {
    const int ahead = (layer - current_ + layers_ - 1) % layers_ + 1;  // 1 .. layers
    const double uses = std::exp2(rank - HalfLives(layer));
    const double tokens_between = half_life_ / (uses * std::numbers::ln2);
    return -(static_cast<double>(ahead) / layers_ + tokens_between);
  }

  const int layers_;
  int current_ = 0;
};

constexpr std::array<std::pair<CachePolicyKind, std::string_view>, 5> kNames = {{
    {CachePolicyKind::kLru, "lru"},
    {CachePolicyKind::kLru2, "lru2"},
    {CachePolicyKind::kLfu, "lfu"},
    {CachePolicyKind::kLrfu, "lrfu"},
    {CachePolicyKind::kDue, "due"},
}};

// Half-lives are told in the mean time between two uses of an expert.
constexpr double kSlowPeriods = 32;

}  // namespace

std::string_view CachePolicyName(CachePolicyKind kind) {
  for (const auto& [named, name] : kNames) {
    if (named == kind) return name;
  }
  return "";
}

std::vector<std::string> CachePolicyNames() {
  std::vector<std::string> names;
  for (const auto& entry : kNames) names.emplace_back(entry.second);
  return names;
}

Result<CachePolicyKind> CachePolicyFromName(std::string_view wanted) {
  for (const auto& [kind, name] : kNames) {
    if (name == wanted) return kind;
  }
  return InvalidInput(fmt::format("there is no cache policy '{}'", wanted), {},
                      fmt::format("choose among {}", fmt::join(CachePolicyNames(), ", ")));
}

std::unique_ptr<CachePolicy> MakeCachePolicy(CachePolicyKind kind, const RoutingShape& shape) {
  FM_CHECK(shape.layers >= 0 && shape.experts >= 0 && shape.experts_per_token > 0);
  const double period = std::max(1.0, static_cast<double>(shape.experts) / shape.experts_per_token);
  switch (kind) {
    case CachePolicyKind::kLru:
      return std::make_unique<LruPolicy>(shape);
    case CachePolicyKind::kLru2:
      return std::make_unique<Lru2Policy>(shape);
    case CachePolicyKind::kLfu:
      return std::make_unique<FadingPolicy>(shape, kSlowPeriods * period);
    case CachePolicyKind::kLrfu:
      return std::make_unique<FadingPolicy>(shape, period);
    case CachePolicyKind::kDue:
      return std::make_unique<DuePolicy>(shape, period);
  }
  return nullptr;
}

}  // namespace flashmoe
