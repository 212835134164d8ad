// How a thread's processor treats floats that are too small to be normal.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace flashmoe {

// While this lives, floats below 2^-126 count as zero on this thread. They add nothing to a sum
// that anyone looks at, but a processor takes a hundred times as long for one: blocks of zeros
// whose scale is the smallest there is made prompts take twice as long (docs/decisions/0010).
class TinyFloatsAreZero {
 public:
#if defined(__x86_64__)
  TinyFloatsAreZero() : before_(_mm_getcsr()) { _mm_setcsr(before_ | kFlushToZero | kZeroInputs); }
  ~TinyFloatsAreZero() { _mm_setcsr(before_); }
#elif defined(__aarch64__)
  TinyFloatsAreZero() {
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    asm volatile("msr fpcr, %0" : : "r"(before_ | kFlushToZero));
  }
  ~TinyFloatsAreZero() { asm volatile("msr fpcr, %0" : : "r"(before_)); }
#else
  TinyFloatsAreZero() = default;  // other processors keep them
#endif
  TinyFloatsAreZero(const TinyFloatsAreZero&) = delete;
  TinyFloatsAreZero& operator=(const TinyFloatsAreZero&) = delete;

 private:
#if defined(__x86_64__)
  static constexpr uint32_t kFlushToZero = 0x8000, kZeroInputs = 0x0040;
  uint32_t before_;
#elif defined(__aarch64__)
  static constexpr uint64_t kFlushToZero = uint64_t{1} << 24;
  uint64_t before_ = 0;
#endif
};

}  // namespace flashmoe
