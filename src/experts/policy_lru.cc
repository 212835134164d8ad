#include <limits>
#include <vector>

#include "base/check.h"
#include "experts/policy.h"

namespace flashmoe {
namespace {

constexpr ExpertKey kNone = std::numeric_limits<ExpertKey>::max();

// Per layer a list of the experts on offer, oldest use first.
class LruPolicy final : public CachePolicy {
 public:
  LruPolicy(int layers, int experts)
      : experts_(static_cast<ExpertKey>(experts)),
        lists_(static_cast<size_t>(layers)),
        nodes_(static_cast<size_t>(layers) * static_cast<size_t>(experts)) {}

  std::string_view name() const override { return "lru"; }

  void Use(ExpertKey key) override {
    const bool offered = nodes_[key].offered;
    if (offered) Withdraw(key);
    nodes_[key].used = ++uses_;
    if (offered) Offer(key);
  }

  // Experts are let go in about the order in which they were asked for, so the place is near the
  // list's end.
  void Offer(ExpertKey key) override {
    Node& node = nodes_[key];
    FM_CHECK(!node.offered);
    node.offered = true;
    List& list = lists_[key / experts_];
    ExpertKey before = list.newest;
    while (before != kNone && nodes_[before].used > node.used) before = nodes_[before].older;
    node.older = before;
    node.newer = before == kNone ? list.oldest : nodes_[before].newer;
    (node.older == kNone ? list.oldest : nodes_[node.older].newer) = key;
    (node.newer == kNone ? list.newest : nodes_[node.newer].older) = key;
  }

  void Withdraw(ExpertKey key) override {
    Node& node = nodes_[key];
    FM_CHECK(node.offered);
    node.offered = false;
    List& list = lists_[key / experts_];
    (node.older == kNone ? list.oldest : nodes_[node.older].newer) = node.newer;
    (node.newer == kNone ? list.newest : nodes_[node.newer].older) = node.older;
  }

  std::optional<Candidate> Cheapest(int layer) const override {
    const ExpertKey key = lists_[static_cast<size_t>(layer)].oldest;
    if (key == kNone) return std::nullopt;
    return Candidate{key, static_cast<double>(nodes_[key].used)};
  }

 private:
  struct Node {
    uint64_t used = 0;  // the number of the last use; exact as a double for 2^53 of them
    ExpertKey older = kNone;
    ExpertKey newer = kNone;
    bool offered = false;
  };
  struct List {
    ExpertKey oldest = kNone;
    ExpertKey newest = kNone;
  };

  const ExpertKey experts_;
  uint64_t uses_ = 0;
  std::vector<List> lists_;  // [layers]
  std::vector<Node> nodes_;  // [layers * experts]
};

}  // namespace

std::unique_ptr<CachePolicy> MakeLruPolicy(int layers, int experts) {
  return std::make_unique<LruPolicy>(layers, experts);
}

}  // namespace flashmoe
