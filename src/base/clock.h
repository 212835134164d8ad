#pragma once

#include <chrono>

namespace flashmoe {

// Seconds on a monotonic clock; only differences mean anything.
inline double NowSeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace flashmoe
