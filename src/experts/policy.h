// Which expert to give up when a slot is needed. A policy ranks the experts within each layer and
// makes the ranks comparable between layers; the cache keeps the floors and the pins
// (experts/cache.h). Knows keys only, so that a recorded trace can be replayed through it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

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
  virtual std::string_view name() const = 0;

  // The expert was asked for, whether it is in memory or not.
  virtual void Use(ExpertKey key) = 0;

  // The expert may be given up from now on. REQUIRES: it is not on offer.
  virtual void Offer(ExpertKey key) = 0;

  // It may not any more: pinned, or gone. REQUIRES: it is on offer.
  virtual void Withdraw(ExpertKey key) = 0;

  // Of the layer's experts on offer, the one that is worth least.
  virtual std::optional<Candidate> Cheapest(int layer) const = 0;
};

// Least recently used first.
std::unique_ptr<CachePolicy> MakeLruPolicy(int layers, int experts);

}  // namespace flashmoe
