// How fast this disk delivers pieces of a model: the roof of reading experts.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "io/async_reader.h"

namespace flashmoe {

struct DiskSpeed {
  double bytes_per_s = 0;
  std::string reader;  // "uring direct"
};

// Reads pieces of `piece_bytes` from all over the file, as many at once as the reader allows, for a
// third of a second.
Result<DiskSpeed> MeasureDisk(const File& file, uint64_t piece_bytes, const ReaderOptions& options);

}  // namespace flashmoe
