// Which expert to give up when a slot is needed. A policy ranks the experts within each layer and
// makes the ranks comparable between layers; the cache keeps the floors and the pins
// (experts/cache.h). Knows keys only, so that a recorded trace can be replayed through it
// (experts/simulate.h). What it does hangs on the order of the calls alone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace flashmoe {

// An expert of a layer as a dense number: layer * experts + expert.
using ExpertKey = uint32_t;

class CachePolicy {
 public:
  struct Candidate {
    ExpertKey key = 0;
    double worth = 0;  // the smaller, the sooner it goes
  };

  virtual ~CachePolicy() = default;

  // A token comes to the layer; its uses follow. A chunk of a prompt is its tokens in turn.
  virtual void BeginToken(int layer) = 0;

  // A token chose the expert, whether it is in memory or not.
  virtual void Use(ExpertKey key) = 0;

  // The expert may be given up from now on. REQUIRES: it is not on offer.
  virtual void Offer(ExpertKey key) = 0;

  // It may not any more: pinned, or gone. REQUIRES: it is on offer.
  virtual void Withdraw(ExpertKey key) = 0;

  // Of the layer's experts on offer, the one that is worth least.
  virtual std::optional<Candidate> Cheapest(int layer) const = 0;
};

enum class CachePolicyKind {
  kLru,   // "lru": the one used last longest ago goes
  kLru2,  // "lru2": the one whose last use but one is longest ago (LRU-K for K = 2)
  kLfu,   // "lfu": the one used least often, uses being forgotten slowly
  kLrfu,  // "lrfu": the same, forgotten fast: between lfu and lru
  kDue,   // "due": the one whose next use is expected last
};

// What was measured to hit most (docs/decisions/0009-cache-policy.md).
inline constexpr CachePolicyKind kDefaultCachePolicy = CachePolicyKind::kDue;

std::string_view CachePolicyName(CachePolicyKind kind);
std::vector<std::string> CachePolicyNames();
Result<CachePolicyKind> CachePolicyFromName(std::string_view name);

struct RoutingShape {
  int layers = 0;
  int experts = 0;  // of each layer
  int experts_per_token = 0;
};

// Takes its memory at once. No call above takes more than O(log experts).
std::unique_ptr<CachePolicy> MakeCachePolicy(CachePolicyKind kind, const RoutingShape& shape);

}  // namespace flashmoe
