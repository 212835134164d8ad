#include "base/prefault.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <stop_token>
#include <system_error>

#include "base/memory.h"

namespace flashmoe {
namespace {

constexpr size_t kPartBytes = size_t{32} << 20;  // between two looks at whether to stop
constexpr int kPopulateWrite = 23;               // MADV_POPULATE_WRITE, since Linux 5.14

void TakePages(const std::stop_token& stop, std::span<std::byte> memory) {
  for (size_t at = 0; at < memory.size() && !stop.stop_requested(); at += kPartBytes) {
    const size_t bytes = AlignUp(std::min(kPartBytes, memory.size() - at), kPageBytes);
    int failed = 0;
    do {
      failed = madvise(memory.data() + at, bytes, kPopulateWrite);
    } while (failed != 0 && (errno == EINTR || errno == EAGAIN) && !stop.stop_requested());
    if (failed != 0) return;
  }
}

}  // namespace

Prefault::Prefault(std::span<std::byte> memory) {
  try {
    thread_ = std::jthread([memory](const std::stop_token& stop) { TakePages(stop, memory); });
  } catch (const std::system_error&) {
    // No thread is to be had.
  }
}

void Prefault::Wait() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace flashmoe
