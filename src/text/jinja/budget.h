// What one rendering may use. Templates and requests are untrusted, so every step of evaluation and
// every byte that a value holds is taken from here before it is spent.
#pragma once

#include <cstdint>
#include <utility>

#include "base/status.h"

namespace flashmoe::jinja {

class Budget {
 public:
  // `depth`: how far evaluation may recurse, which bounds the stack.
  Budget(uint64_t steps, uint64_t bytes, int depth = 1000)
      : steps_(steps), bytes_(bytes), depth_(depth) {}
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  // Takes `steps` for good. One step is about one evaluated node or 64 bytes copied.
  Status Work(uint64_t steps);
  // Takes bytes until Release(). REQUIRES of Release: they are held.
  Status Hold(uint64_t bytes);
  void Release(uint64_t bytes) { held_ -= bytes; }

 private:
  friend class Depth;
  uint64_t steps_;
  uint64_t bytes_;
  int depth_;
  uint64_t used_ = 0;
  uint64_t held_ = 0;
};

// One level of recursion, for as long as this object lives.
class Depth {
 public:
  static Result<Depth> Enter(Budget& budget);
  Depth(Depth&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)) {}
  Depth& operator=(Depth&&) = delete;
  ~Depth() {
    if (budget_ != nullptr) ++budget_->depth_;
  }

 private:
  explicit Depth(Budget* budget) : budget_(budget) { --budget->depth_; }
  Budget* budget_;
};

// Bytes held from a budget for as long as this object lives. The budget must outlive it.
class Charge {
 public:
  Charge() = default;
  explicit Charge(Budget* budget) : budget_(budget) {}
  Charge(Charge&& other) noexcept
      : budget_(other.budget_), bytes_(std::exchange(other.bytes_, 0)) {}
  Charge& operator=(Charge&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Charge() {
    if (bytes_ != 0) budget_->Release(bytes_);
  }

  // REQUIRES: constructed with a budget.
  Status Grow(uint64_t bytes);

 private:
  Budget* budget_ = nullptr;
  uint64_t bytes_ = 0;
};

}  // namespace flashmoe::jinja
