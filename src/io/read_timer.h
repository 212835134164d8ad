// Times reads at random blocks of a file: what the device under it gives.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "base/memory.h"
#include "base/status.h"
#include "io/async_reader.h"
#include "io/file.h"

namespace flashmoe {

struct TimedBytes {
  uint64_t bytes = 0;
  double seconds = 0;

  double per_s() const { return seconds > 0 ? static_cast<double>(bytes) / seconds : 0; }
  TimedBytes& operator+=(const TimedBytes& other) {
    bytes += other.bytes;
    seconds += other.seconds;
    return *this;
  }
};

// One thread. The file outlives it, and is only read.
class ReadTimer {
 public:
  // `read_bytes`: whole blocks, at most the file's size. Reads land in `buffer_bytes` of memory,
  // one place after the other, as in slots: what fits into the processor's caches shows more than a
  // model will get.
  static Result<ReadTimer> Create(const File& file, uint64_t read_bytes, uint64_t buffer_bytes);

  // So many reads have a place of their own.
  uint64_t places() const { return places_; }

  // With `depth` reads always in flight, for about `seconds`: those that ended after the first
  // ones, over the time since then, so that neither start nor end counts. Leaves none in flight.
  Result<TimedBytes> Run(AsyncReader& reader, int depth, double seconds);

  // For something that runs beside reads: takes what has arrived and starts reads until `bytes`
  // were started since the last Drain(), no more than `depth` at once. Does not wait.
  Status Continue(AsyncReader& reader, int depth, uint64_t bytes);
  uint64_t started_bytes() const { return started_bytes_; }
  // Waits for all reads in flight.
  Status Drain(AsyncReader& reader);

  // How long one read alone takes, in seconds.
  Result<double> RunOne(AsyncReader& reader);

 private:
  ReadTimer(const File& file, uint64_t read_bytes, Memory memory);

  Status Submit(AsyncReader& reader);
  Status Reap(AsyncReader& reader, bool wait);  // the completions are in done_
  uint64_t RandomOffset();
  bool MiddleInPageCache(uint64_t offset) const;

  const File* file_;
  uint64_t read_bytes_;
  Memory memory_;
  uint64_t places_;
  uint64_t next_place_ = 0;
  uint64_t started_bytes_ = 0;  // since the last Drain()
  std::mt19937_64 random_{std::random_device{}()};
  std::vector<ReadCompletion> done_;
};

}  // namespace flashmoe
