// For targets that read files which carry digests of their parts.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"
#include "state/digest.h"

namespace flashmoe::fuzz {

// Calls fn(path) while a file with these bytes is there.
template <typename Fn>
void WithFile(std::span<const std::byte> bytes, const Fn& fn) {
  const int fd = memfd_create("fuzz", MFD_CLOEXEC);
  FM_CHECK(fd >= 0);
  FM_CHECK(write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  fn("/proc/self/fd/" + std::to_string(fd));
  close(fd);
}

inline void PutDigest(const Digest& digest, size_t at, std::vector<std::byte>& bytes) {
  std::memcpy(bytes.data() + at, &digest, sizeof digest);
}

}  // namespace flashmoe::fuzz
