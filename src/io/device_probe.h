// What the device under a model file gives, measured in a moment at start: which reader, how many
// reads at once, and the bytes a second to expect of them. Reads the model's own file at random
// blocks, in pieces as large as an expert's, past the page cache. What was found is kept between
// runs, by device, if there is a folder for it.
//
// A probe changes speed alone. It never fails: where nothing can be measured the profile says why
// and holds what suits most devices.
#pragma once

#include <cstdint>
#include <string>

#include "io/async_reader.h"
#include "io/file.h"

namespace flashmoe {

struct DeviceProfile {
  ReaderKind reader = ReaderKind::kAuto;  // kUring or kPread once probed
  bool direct = true;        // past the page cache; false where the volume knows no such reads
  int depth = 32;            // reads at once: the fewest that come close to the best speed
  uint64_t read_bytes = 0;   // the size of the reads that were timed
  double gbps = 0;           // 10^9 bytes a second at this setting; 0: not probed
  double latency_us = 0;     // of one such read alone, the median
  bool from_cache = false;   // measured in an earlier run
  std::string why_not = {};  // not probed: the reason, e.g. "the file is small"

  bool probed() const { return gbps > 0; }
  // What to ask MakeReader() for. What was measured in an earlier run, or with a smaller ring, may
  // be forbidden now, so io_uring is taken where it can be had.
  ReaderKind reader_to_make() const {
    return reader == ReaderKind::kUring ? ReaderKind::kAuto : reader;
  }
  std::string reader_name() const;  // "uring direct"; of what was probed
  // "1.93 GB/s by uring direct, 8 reads of 589.8 kB at once, 410 us each alone (measured earlier)"
  std::string ToString() const;
};

struct ProbeOptions {
  bool enabled = true;
  ReaderKind reader = ReaderKind::kAuto;  // anything else: only this one is timed
  double seconds_max = 0.3;
  uint64_t file_bytes_least = uint64_t{512} << 20;  // a smaller file is read before this pays
  // Memory that reads land in, one place after the other, as in slots: what fits into the
  // processor's caches shows more than a model will get. Held during the probe only.
  uint64_t buffer_bytes = uint64_t{256} << 20;
  std::string cache_folder = {};  // made if it is missing; empty: nothing is kept or looked up
};

// `read_bytes`: the size of a piece of an expert. The file is only read.
DeviceProfile ProbeDevice(const File& file, uint64_t read_bytes, const ProbeOptions& options);

}  // namespace flashmoe
