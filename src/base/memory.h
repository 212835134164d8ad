// Large aligned memory, taken from the kernel and given back to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/status.h"

namespace flashmoe {

inline constexpr size_t kPageBytes = 4096;
inline constexpr size_t kHugePageBytes = size_t{2} << 20;

constexpr uint64_t AlignDown(uint64_t value, uint64_t alignment) {
  return value / alignment * alignment;
}
constexpr uint64_t AlignUp(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

// An anonymous mapping, zeroed, page-aligned (2 MiB-aligned and advised to huge pages when it is
// at least that large). Move-only; unmapped on destruction.
class Memory {
 public:
  Memory() = default;
  static Result<Memory> Allocate(uint64_t bytes);
  Memory(Memory&& other) noexcept;
  Memory& operator=(Memory&& other) noexcept;
  ~Memory();

  // From now on it comes in the smallest pages, so that no more is taken than is touched.
  void UseSmallPages();
  // Gives the pages after byte `begin` back to the kernel; they are zeroed when they are touched
  // again. REQUIRES: begin <= size().
  void Discard(uint64_t begin = 0);

  std::byte* data() const { return data_; }
  uint64_t size() const { return size_; }
  std::span<std::byte> span() const { return {data_, static_cast<size_t>(size_)}; }
  template <typename T>
  T* as() const {
    return reinterpret_cast<T*>(data_);
  }

 private:
  std::byte* data_ = nullptr;
  uint64_t size_ = 0;
};

// Zeroed memory of the kernel's, as Memory has it; nullptr if it has none. Unmap() takes the same
// number of bytes.
void* MapHuge(size_t bytes);
void Unmap(void* mapping, size_t bytes);

// Gives back to the kernel what the heap has free and the program's code, which returns as it is
// needed: after something big was parsed and dropped, with code that does not run again.
void ReleaseUnusedMemory();

// Bytes of memory the process holds now / held at most (VmRSS, VmHWM of /proc/self/status); 0 if
// unknown.
uint64_t ResidentBytes();
uint64_t PeakResidentBytes();

struct SpareMemory {
  uint64_t bytes = 0;
  bool of_group = false;  // a cgroup is the limit, and not the machine
};

// What this process may still take without being killed: the smallest of MemAvailable and, for
// each cgroup (v1 or v2) above it, limit minus what cannot be reclaimed there.
SpareMemory AvailableMemory();

}  // namespace flashmoe
