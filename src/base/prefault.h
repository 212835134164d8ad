// Takes pages from the system before they are used, on a thread of its own, while something else is
// waited for: zeroing gigabytes takes a good part of a second.
#pragma once

#include <cstddef>
#include <span>
#include <thread>

namespace flashmoe {

class Prefault {
 public:
  Prefault() = default;  // of nothing
  // `memory` outlives the object; it may be used meanwhile. Where the system cannot do this, or
  // gives no thread, pages come when they are touched, as always.
  explicit Prefault(std::span<std::byte> memory);
  ~Prefault() = default;  // stops soon and waits
  Prefault(Prefault&&) noexcept = default;
  Prefault& operator=(Prefault&&) noexcept = default;

  void Wait();  // until all pages are there

 private:
  std::jthread thread_;
};

}  // namespace flashmoe
