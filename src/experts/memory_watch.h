// Gives memory back to the system while others need it: when little can still be taken, a store
// goes on with fewer slots, down to one token's, and has them again when there is room. Slower is
// better than killed. What is computed does not change.
#pragma once

#include <cstdint>
#include <functional>

#include "experts/store.h"

namespace flashmoe {

struct MemoryWatchOptions {
  uint64_t reserve = 0;  // bytes that can be taken when all is well; 0: nothing is watched
  std::function<uint64_t()> spare = {};  // bytes that can be taken now; empty: AvailableMemory()
  double every_s = 0.5;                  // between two looks, each of a fraction of a millisecond
};

class MemoryWatch {
 public:
  explicit MemoryWatch(MemoryWatchOptions options);

  // Between two requests of the store, as often as is convenient.
  void Look(ExpertStore& store);

 private:
  MemoryWatchOptions options_;
  double next_s_ = 0;
};

// The number of slots to go on with, when `spare` bytes can be taken. Fewer than now where that is
// less than `reserve`, so that twice that much can be taken then; more where it is two and a half
// times as much, and those that there are have been filled. Within slots_min and slots_made.
uint64_t SlotsToHave(const ExpertStore& store, uint64_t spare, uint64_t reserve);

}  // namespace flashmoe
