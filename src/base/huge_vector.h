// A std::vector whose elements lie in huge pages once they are many. For buffers whose rows lie
// kilobytes apart: in pages of 4 KiB each row is a page of its own, and looking up pages holds up
// the processor (docs/decisions/0010).
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#include "base/memory.h"

namespace flashmoe {

// The address sanitizer watches the ends of what comes from the heap, and of nothing else.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr size_t kHugeVectorBytes = SIZE_MAX;
#else
inline constexpr size_t kHugeVectorBytes = kHugePageBytes;
#endif

// From 2 MiB on memory comes from the kernel, below from the heap; if neither has any left,
// std::bad_alloc is thrown, as by any vector.
template <typename T>
struct HugePageAllocator {
  using value_type = T;

  HugePageAllocator() = default;
  template <typename U>
  HugePageAllocator(const HugePageAllocator<U>&) {}  // NOLINT: allocators convert

  T* allocate(size_t n) {
    const size_t bytes = n * sizeof(T);
    void* p = bytes < kHugeVectorBytes ? ::operator new(bytes) : MapHuge(bytes);
    if (p == nullptr) throw std::bad_alloc();
    return static_cast<T*>(p);
  }
  void deallocate(T* p, size_t n) {
    const size_t bytes = n * sizeof(T);
    bytes < kHugeVectorBytes ? ::operator delete(p) : Unmap(p, bytes);
  }
  bool operator==(const HugePageAllocator&) const { return true; }
};

template <typename T>
using HugeVector = std::vector<T, HugePageAllocator<T>>;

}  // namespace flashmoe
