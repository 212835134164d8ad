#include "experts/memory_watch.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/memory.h"

namespace flashmoe {

MemoryWatch::MemoryWatch(MemoryWatchOptions options) : options_(std::move(options)) {
  if (!options_.spare) options_.spare = [] { return AvailableMemory().bytes; };
}

void MemoryWatch::Look(ExpertStore& store) {
  if (options_.reserve == 0 || NowSeconds() < next_s_) return;
  const uint64_t slots = SlotsToHave(store, options_.spare(), options_.reserve);
  if (slots != store.slots()) store.LimitSlots(slots);
  next_s_ = NowSeconds() + options_.every_s;
}

uint64_t SlotsToHave(const ExpertStore& store, uint64_t spare, uint64_t reserve) {
  const uint64_t now = store.slots();
  const uint64_t slot = std::max<uint64_t>(store.catalog().max_slot_bytes(), 1);
  if (spare < reserve) {
    const uint64_t fewer = (2 * reserve - spare + slot - 1) / slot;
    // Slots that were never filled may hold no memory yet.
    const uint64_t filled = std::min(now, store.slots_used());
    return std::max(store.slots_min(), filled - std::min(filled, fewer));
  }
  // What was given back is taken as it is filled: until then, nothing is known of the room.
  if (spare <= reserve * 5 / 2 || store.slots_used() < now) return now;
  return std::min(store.slots_made(), now + (spare - 2 * reserve) / slot);
}

}  // namespace flashmoe
