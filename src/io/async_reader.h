// Many reads in flight. One interface over io_uring, a pool of threads that call pread, and a
// memory mapping; tests add one that fails and delays from a seed. One conformance test runs over
// all of them.
//
// Where bytes land: `dest` is aligned to kBlockBytes, and the byte at `offset` arrives at
// dest + offset % kBlockBytes for every reader, so that a reader may fetch whole blocks from the
// device straight into place. `dest` must have SlotBytes(offset, bytes) bytes; those outside of the
// wanted range are scratch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/memory.h"
#include "base/status.h"
#include "io/file.h"

namespace flashmoe {

inline constexpr uint64_t kBlockBytes = 4096;

// Bytes that a read of `bytes` at `offset` needs at `dest`.
constexpr uint64_t SlotBytes(uint64_t offset, uint64_t bytes) {
  return AlignUp(offset % kBlockBytes + bytes, kBlockBytes);
}

struct ReadRequest {
  const File* file = nullptr;  // outlives the read
  uint64_t offset = 0;
  uint64_t bytes = 0;  // > 0
  std::byte* dest = nullptr;
  uint64_t tag = 0;  // returned with the completion
};

struct ReadCompletion {
  uint64_t tag = 0;
  Status status;  // an error names file, offset and cause; the bytes are then not to be used
};

// How long Reap() waits for something to arrive.
inline constexpr double kReapSeconds = 0.2;

// Used by one thread at a time. Destruction waits for reads in flight.
class AsyncReader {
 public:
  virtual ~AsyncReader() = default;

  virtual std::string_view name() const = 0;  // "uring", "uring direct", "pread", "mmap"
  virtual bool direct() const = 0;

  // Starts a read. Any number may be submitted; a reader queues what the device's depth does not
  // take yet. Never blocks on the device. Failures arrive as completions.
  virtual void Submit(const ReadRequest& request) = 0;

  // Hands submitted reads to the device, if they are not there yet.
  virtual void Flush() = 0;

  // Appends the completions that have arrived to `out`. With `wait`, blocks until there is at least
  // one, unless nothing is in flight, but no longer than about kReapSeconds: a device that hangs
  // does not hang its caller. Short reads have been continued; a file that ends early, or that
  // somebody has written to since it was opened, is an error that names file and offset.
  virtual void Reap(bool wait, std::vector<ReadCompletion>& out) = 0;

  virtual size_t in_flight() const = 0;
};

enum class ReaderKind { kAuto, kUring, kPread, kMmap };
Result<ReaderKind> ReaderKindFromName(std::string_view name);  // "auto", "uring", "pread", "mmap"

struct ReaderOptions {
  ReaderKind kind = ReaderKind::kAuto;  // kAuto: io_uring where it is permitted, else pread
  bool direct = true;  // O_DIRECT for files that have it; false: through the page cache
  // Reads handed to the system at once; what is beyond waits for the next Reap(). So many that the
  // reads of a whole layer go on while nobody calls: the system keeps the device busy with them.
  // Readers made of threads take one thread for each, 16 at most.
  int queue_depth = 1024;
  // Memory that reads will land in, for registration with io_uring, which takes all of its pages at
  // once; skipped silently where the lock limit forbids it. Worth it for disks of many small reads,
  // not for experts. May be empty.
  std::span<std::byte> buffers = {};
};
Result<std::unique_ptr<AsyncReader>> MakeReader(const ReaderOptions& options);

}  // namespace flashmoe
