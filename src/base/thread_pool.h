// A fork-join pool. Idle workers spin for a bounded time and then sleep on a futex, so that a
// shared machine is not slowed down by waiting threads.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace flashmoe {

class ThreadPool {
 public:
  // `threads` counts the calling thread: ThreadPool(1) starts none. REQUIRES: threads >= 1.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const;

  // Calls fn(begin, end) on disjoint ranges that cover [0, n), each at most `grain` long, on the
  // pool's threads and the caller; returns when all have returned. Each thread goes through a
  // section of its own from the front, so that what it reads is one stream, a fourth of what is
  // left at a time, and then helps with the others': a result must not depend on which thread
  // computes which range. On all of them floats too small to be normal count as zero.
  // One caller at a time; fn must not call ParallelFor and must not throw. REQUIRES: grain >= 1.
  template <typename Fn>
  void ParallelFor(int64_t n, int64_t grain, Fn&& fn) {
    using F = std::remove_reference_t<Fn>;
    Run(
        n, grain, [](void* f, int64_t begin, int64_t end) { (*static_cast<F*>(f))(begin, end); },
        const_cast<void*>(static_cast<const void*>(&fn)));
  }

 private:
  using RangeFn = void (*)(void*, int64_t, int64_t);
  void Run(int64_t n, int64_t grain, RangeFn fn, void* context);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// CPUs this process may use: affinity mask and cgroup quota (rounded up), at least 1.
int AvailableCpus();

}  // namespace flashmoe
