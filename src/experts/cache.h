// Which expert is in which slot: the book-keeping of the store, without bytes and without I/O.
//
// A slot is free, arriving (taken, its bytes on their way), or resident; the latter two may be
// pinned. Only what is resident and not pinned is ever given up, and of other layers than the one
// that needs the slot only what they hold above the floor. So a layer that comes round again finds
// `floor` experts, however much the layers in between have read; a plain LRU over all layers would
// have thrown out each one just before its turn.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "experts/policy.h"

namespace flashmoe {

class ExpertCache {
 public:
  static constexpr uint32_t kNoSlot = std::numeric_limits<uint32_t>::max();

  ExpertCache(int layers, int experts, uint32_t slots, int floor,
              std::unique_ptr<CachePolicy> policy);

  ExpertKey KeyOf(int layer, int expert) const {
    return static_cast<ExpertKey>(layer) * experts_ + static_cast<ExpertKey>(expert);
  }

  // The slot that holds the expert or awaits it, or kNoSlot.
  uint32_t Find(ExpertKey key) const { return slot_of_[key]; }
  bool resident(uint32_t slot) const { return slots_[slot].state == State::kResident; }
  ExpertKey key(uint32_t slot) const { return slots_[slot].key; }

  // For the policy: a token comes to the layer, and uses the expert.
  void BeginToken(int layer) { policy_->BeginToken(layer); }
  void Use(ExpertKey key) { policy_->Use(key); }

  // A slot for an expert that has none: free, or another expert's, which is then gone. It is
  // arriving and pinned once. nullopt: nothing can be given up now.
  std::optional<uint32_t> Take(ExpertKey key);

  // The bytes of an arriving slot are there.
  void Arrived(uint32_t slot);
  // They will not come, or are wrong: the slot is free. REQUIRES: pinned once.
  void Drop(uint32_t slot);

  void Pin(uint32_t slot);
  void Unpin(uint32_t slot);

  // Uses the first `slots` only from now on; what was in the others is gone. Stops above one that
  // is pinned or arriving. REQUIRES: no more than were made, and enough for all floors.
  void Limit(uint32_t slots);

  uint64_t slots() const { return limit_; }  // in use
  uint64_t used() const { return limit_ - free_.size(); }
  int held(int layer) const { return held_[static_cast<size_t>(layer)]; }
  int floor() const { return floor_; }

 private:
  enum class State : uint8_t { kFree, kArriving, kResident };
  struct Slot {
    ExpertKey key = 0;
    uint32_t pins = 0;
    State state = State::kFree;
  };

  std::optional<ExpertKey> Victim(int layer) const;
  void Free(uint32_t slot);

  const ExpertKey experts_;
  const int floor_;
  std::unique_ptr<CachePolicy> policy_;
  std::vector<Slot> slots_;
  uint32_t limit_;
  std::vector<uint32_t> free_;     // below the limit
  std::vector<uint32_t> slot_of_;  // [layers * experts]
  std::vector<int> held_;          // [layers] slots that are not free
};

}  // namespace flashmoe
