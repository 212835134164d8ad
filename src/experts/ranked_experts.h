// The experts on offer, lowest rank first: one binary heap a layer, which knows where each expert
// stands. Equal ranks go by number.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "experts/policy.h"

namespace flashmoe {

class RankedExperts {
 public:
  RankedExperts(int layers, int experts);

  int LayerOf(ExpertKey key) const { return static_cast<int>(key / experts_); }
  bool Contains(ExpertKey key) const { return place_[key] != kAbsent; }
  double rank(ExpertKey key) const { return rank_[key]; }

  void Add(ExpertKey key);     // REQUIRES: not contained
  void Remove(ExpertKey key);  // REQUIRES: contained
  void SetRank(ExpertKey key, double rank);
  std::optional<ExpertKey> Lowest(int layer) const;

 private:
  static constexpr uint32_t kAbsent = std::numeric_limits<uint32_t>::max();

  bool Before(ExpertKey a, ExpertKey b) const {
    return rank_[a] != rank_[b] ? rank_[a] < rank_[b] : a < b;
  }
  // The layer's heap stands at heap_[layer * experts ..].
  ExpertKey* HeapOf(int layer) { return heap_.data() + static_cast<size_t>(layer) * experts_; }
  void Settle(int layer, uint32_t place);  // moves what stands there to where it belongs
  void Put(ExpertKey* heap, uint32_t place, ExpertKey key) {
    heap[place] = key;
    place_[key] = place;
  }

  const ExpertKey experts_;
  std::vector<ExpertKey> heap_;  // [layers * experts]
  std::vector<uint32_t> size_;   // [layers]
  std::vector<uint32_t> place_;  // [layers * experts] in the layer's heap, or kAbsent
  std::vector<double> rank_;     // [layers * experts]
};

}  // namespace flashmoe
