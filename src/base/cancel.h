#pragma once

#include <atomic>

namespace flashmoe {

// Set from any thread or a signal handler; long operations look at it and end with kCancelled.
class CancelFlag {
 public:
  void Set() { flag_.store(true, std::memory_order_relaxed); }
  void Clear() { flag_.store(false, std::memory_order_relaxed); }
  bool IsSet() const { return flag_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> flag_{false};
};

}  // namespace flashmoe
