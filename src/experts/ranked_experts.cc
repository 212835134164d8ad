#include "experts/ranked_experts.h"

#include "base/check.h"

namespace flashmoe {

RankedExperts::RankedExperts(int layers, int experts)
    : experts_(static_cast<ExpertKey>(experts)), size_(static_cast<size_t>(layers)) {
  const size_t keys = size_.size() * experts_;
  heap_.resize(keys);
  place_.resize(keys, kAbsent);
  rank_.resize(keys);
}

void RankedExperts::Add(ExpertKey key) {
  FM_CHECK(!Contains(key));
  const int layer = LayerOf(key);
  const uint32_t last = size_[static_cast<size_t>(layer)]++;
  Put(HeapOf(layer), last, key);
  Settle(layer, last);
}

void RankedExperts::Remove(ExpertKey key) {
  FM_CHECK(Contains(key));
  const int layer = LayerOf(key);
  const uint32_t place = place_[key];
  const uint32_t last = --size_[static_cast<size_t>(layer)];
  place_[key] = kAbsent;
  if (place == last) return;
  ExpertKey* heap = HeapOf(layer);
  Put(heap, place, heap[last]);
  Settle(layer, place);
}

void RankedExperts::SetRank(ExpertKey key, double rank) {
  rank_[key] = rank;
  if (Contains(key)) Settle(LayerOf(key), place_[key]);
}

std::optional<ExpertKey> RankedExperts::Lowest(int layer) const {
  const auto at = static_cast<size_t>(layer);
  if (size_[at] == 0) return std::nullopt;
  return heap_[at * experts_];
}

void RankedExperts::Settle(int layer, uint32_t place) {
  ExpertKey* heap = HeapOf(layer);
  const uint32_t size = size_[static_cast<size_t>(layer)];
  const ExpertKey key = heap[place];
  while (place > 0 && Before(key, heap[(place - 1) / 2])) {
    Put(heap, place, heap[(place - 1) / 2]);
    place = (place - 1) / 2;
  }
  while (2 * place + 1 < size) {
    uint32_t child = 2 * place + 1;
    if (child + 1 < size && Before(heap[child + 1], heap[child])) ++child;
    if (!Before(heap[child], key)) break;
    Put(heap, place, heap[child]);
    place = child;
  }
  Put(heap, place, key);
}

}  // namespace flashmoe
