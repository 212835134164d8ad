#include "io/page_cache.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "base/memory.h"

namespace flashmoe {
namespace {

// Files are looked at in windows, so that no address space for all of a large one is needed.
constexpr uint64_t kWindowBytes = uint64_t{1} << 30;

uint64_t CachedBytes(std::span<const std::shared_ptr<const File>> files) {
  uint64_t bytes = 0;
  for (const auto& file : files) bytes += CachedBytes(*file);
  return bytes;
}

// All that is cached of any file; only the administrator may.
bool DropAll() {
  const int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool done = write(fd, "1", 1) == 1;
  close(fd);
  return done;
}

}  // namespace

bool InPageCache(const File& file, uint64_t offset) {
  std::byte byte{};
  const iovec into = {&byte, 1};
  return preadv2(file.fd(), &into, 1, static_cast<off_t>(offset), RWF_NOWAIT) == 1;
}

uint64_t CachedBytes(const File& file) {
  uint64_t cached = 0;
  std::vector<unsigned char> pages;
  for (uint64_t offset = 0; offset < file.size(); offset += kWindowBytes) {
    const uint64_t bytes = std::min(kWindowBytes, file.size() - offset);
    void* window =
        mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.fd(), static_cast<off_t>(offset));
    if (window == MAP_FAILED) continue;
    pages.assign((bytes + kPageBytes - 1) / kPageBytes, 0);
    if (mincore(window, bytes, pages.data()) == 0) {
      cached += kPageBytes * static_cast<uint64_t>(
                                 std::ranges::count_if(pages, [](auto page) { return page & 1; }));
    }
    munmap(window, bytes);
  }
  return std::min(cached, file.size());
}

uint64_t DropFromPageCache(std::span<const std::shared_ptr<const File>> files) {
  for (const auto& file : files) posix_fadvise(file->fd(), 0, 0, POSIX_FADV_DONTNEED);
  const uint64_t left = CachedBytes(files);
  if (left == 0 || !DropAll()) return left;
  return CachedBytes(files);
}

}  // namespace flashmoe
