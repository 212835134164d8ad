#include "experts/cache.h"

#include <utility>

#include "base/check.h"

namespace flashmoe {

ExpertCache::ExpertCache(int layers, int experts, uint32_t slots, int floor,
                         std::unique_ptr<CachePolicy> policy)
    : experts_(static_cast<ExpertKey>(experts)),
      floor_(floor),
      policy_(std::move(policy)),
      slots_(slots),
      limit_(slots),
      slot_of_(static_cast<size_t>(layers) * static_cast<size_t>(experts), kNoSlot),
      held_(static_cast<size_t>(layers)) {
  free_.reserve(slots);
  for (uint32_t slot = slots; slot > 0; --slot) free_.push_back(slot - 1);  // the first on top
}

std::optional<uint32_t> ExpertCache::Take(ExpertKey key) {
  FM_CHECK(slot_of_[key] == kNoSlot);
  const auto layer = static_cast<int>(key / experts_);
  if (free_.empty()) {
    const std::optional<ExpertKey> victim = Victim(layer);
    if (!victim.has_value()) return std::nullopt;
    policy_->Withdraw(*victim);
    Free(slot_of_[*victim]);
  }
  const uint32_t slot = free_.back();
  free_.pop_back();
  slots_[slot] = {.key = key, .pins = 1, .state = State::kArriving};
  slot_of_[key] = slot;
  ++held_[static_cast<size_t>(layer)];
  return slot;
}

// The floor is a count: which of the layer's experts stay is the policy's choice.
std::optional<ExpertKey> ExpertCache::Victim(int layer) const {
  std::optional<CachePolicy::Candidate> best;
  for (int other = 0; other < static_cast<int>(held_.size()); ++other) {
    if (other != layer && held(other) <= floor_) continue;
    const std::optional<CachePolicy::Candidate> candidate = policy_->Cheapest(other);
    if (!candidate.has_value()) continue;
    if (!best.has_value() || candidate->worth < best->worth) best = candidate;
  }
  if (!best.has_value()) return std::nullopt;
  return best->key;
}

void ExpertCache::Arrived(uint32_t slot) {
  FM_CHECK(slots_[slot].state == State::kArriving);
  slots_[slot].state = State::kResident;
  if (slots_[slot].pins == 0) policy_->Offer(slots_[slot].key);
}

void ExpertCache::Drop(uint32_t slot) {
  FM_CHECK(slots_[slot].state != State::kFree && slots_[slot].pins == 1);
  Free(slot);
}

void ExpertCache::Pin(uint32_t slot) {
  Slot& entry = slots_[slot];
  FM_CHECK(entry.state != State::kFree);
  if (entry.pins++ == 0 && entry.state == State::kResident) policy_->Withdraw(entry.key);
}

void ExpertCache::Unpin(uint32_t slot) {
  Slot& entry = slots_[slot];
  FM_CHECK(entry.pins > 0);
  if (--entry.pins == 0 && entry.state == State::kResident) policy_->Offer(entry.key);
}

void ExpertCache::Limit(uint32_t slots) {
  FM_CHECK(slots <= slots_.size());
  for (; limit_ < slots; ++limit_) free_.push_back(limit_);
  for (; limit_ > slots; --limit_) {
    const Slot& last = slots_[limit_ - 1];
    if (last.pins > 0 || last.state == State::kArriving) break;
    if (last.state == State::kFree) continue;
    policy_->Withdraw(last.key);
    Free(limit_ - 1);
  }
  std::erase_if(free_, [this](uint32_t slot) { return slot >= limit_; });
}

void ExpertCache::Free(uint32_t slot) {
  const ExpertKey key = slots_[slot].key;
  slot_of_[key] = kNoSlot;
  --held_[key / experts_];
  slots_[slot] = {};
  free_.push_back(slot);
}

}  // namespace flashmoe
