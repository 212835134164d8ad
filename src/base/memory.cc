#include "base/memory.h"

#include <fmt/format.h>
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/cgroup.h"
#include "base/units.h"

namespace flashmoe {
namespace {

constexpr uint64_t kAllocationMax = uint64_t{1} << 46;  // the address space ends at 2^47

void* MapAnonymous(uint64_t bytes) {
  void* mapping = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return mapping == MAP_FAILED ? nullptr : mapping;
}

// Maps one huge page more than needed and gives back what lies outside the aligned part.
std::byte* MapHugeAligned(uint64_t bytes) {
  auto* mapping = static_cast<std::byte*>(MapAnonymous(bytes + kHugePageBytes));
  if (mapping == nullptr) return nullptr;
  const auto address = reinterpret_cast<uint64_t>(mapping);
  const uint64_t head = AlignUp(address, kHugePageBytes) - address;
  const uint64_t tail = kHugePageBytes - head;
  if (head > 0) munmap(mapping, head);
  if (tail > 0) munmap(mapping + head + bytes, tail);
  madvise(mapping + head, bytes, MADV_HUGEPAGE);  // a hint: kernels without huge pages refuse it
  return mapping + head;
}

// For places without /proc: leaves out the page cache, so less than what could be had.
uint64_t FreeBytes() {
  struct sysinfo info = {};
  if (sysinfo(&info) != 0) return kNoMemoryLimit;
  return uint64_t{info.freeram} * info.mem_unit;
}

// Unmaps a module's read-only pages; those that are used again come back from the page cache.
void ReleaseCodeOf(const dl_phdr_info& module) {
  for (int i = 0; i < module.dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = module.dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const uint64_t begin = AlignDown(module.dlpi_addr + segment.p_vaddr, kPageBytes);
    const uint64_t end = module.dlpi_addr + segment.p_vaddr + segment.p_memsz;
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
}

}  // namespace

void* MapHuge(size_t bytes) {
  if (bytes > kAllocationMax) return nullptr;
  const uint64_t mapped = AlignUp(bytes, kPageBytes);
  return bytes >= kHugePageBytes ? MapHugeAligned(mapped) : MapAnonymous(mapped);
}

void Unmap(void* mapping, size_t bytes) { munmap(mapping, AlignUp(bytes, kPageBytes)); }

Result<Memory> Memory::Allocate(uint64_t bytes) {
  Memory memory;
  if (bytes == 0) return memory;
  memory.data_ = static_cast<std::byte*>(MapHuge(bytes));
  if (memory.data_ == nullptr) {
    return Fail(ErrorCode::kOutOfMemory,
                fmt::format("the system refused {} of memory", FormatBytes(bytes)), {},
                "give a smaller memory budget or free memory");
  }
  memory.size_ = bytes;
  return memory;
}

Memory::Memory(Memory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Memory& Memory::operator=(Memory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Memory::~Memory() {
  if (data_ != nullptr) Unmap(data_, size_);
}

void Memory::UseSmallPages() {
  if (data_ != nullptr) madvise(data_, AlignUp(size_, kPageBytes), MADV_NOHUGEPAGE);
}

void Memory::Discard(uint64_t begin) {
  const uint64_t first = AlignUp(begin, kPageBytes), end = AlignUp(size_, kPageBytes);
  if (first < end) madvise(data_ + first, end - first, MADV_DONTNEED);
}

void ReleaseUnusedMemory() {
  malloc_trim(0);
  dl_iterate_phdr(
      [](dl_phdr_info* module, size_t, void*) {
        ReleaseCodeOf(*module);
        return 0;
      },
      nullptr);
}

uint64_t ResidentBytes() { return ReadKbField("/proc/self/status", "VmRSS").value_or(0); }

uint64_t PeakResidentBytes() { return ReadKbField("/proc/self/status", "VmHWM").value_or(0); }

SpareMemory AvailableMemory() {
  const uint64_t machine = ReadKbField("/proc/meminfo", "MemAvailable").value_or(FreeBytes());
  const uint64_t group = CgroupAvailableBytes("");
  return {std::min(machine, group), group < machine};
}

}  // namespace flashmoe
