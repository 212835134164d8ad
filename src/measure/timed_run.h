// A stretch of work that was timed, and where its time went. Two ways of dividing it, each of whose
// parts add up to the whole: what the driving thread did, and whether the disk was busy.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/session.h"
#include "measure/disk_sampler.h"
#include "measure/memory_sampler.h"

namespace flashmoe {

struct TimePart {
  std::string name;  // "experts", "waiting for reads"
  double seconds = 0;
};

struct TimedRun {
  int64_t tokens = 0;
  int64_t position = 0;  // of the first one
  double seconds = 0;
  StepTimes steps;  // of passes of any length
  StoreStats store;
  TimedBytes disk;     // what bursts of reads got in between; their time is not counted above
  TimedBytes memory;   // the same of memory, between tokens that came one by one
  double ended_s = 0;  // NowSeconds() after it
  uint64_t resident_bytes = 0;  // that the process held then; 0: not known

  double tokens_per_s() const { return static_cast<double>(tokens) / seconds; }
  double hit_rate() const;        // 1 if nothing was asked for
  uint64_t bytes_missed() const;  // what would have been read without wrong guesses
  uint64_t bytes_wasted() const;  // by wrong guesses
  // Bytes a second while at least one read was on its way; 0 if none was.
  double read_bytes_per_s() const;
  double disk_busy_s() const;
  double disk_idle_s() const { return seconds - disk_busy_s(); }
  TimedRun& operator+=(const TimedRun& other);  // parts, bytes, bursts and tokens are sums
  // Waiting, then computing by kind, then the rest; without parts of no time.
  std::vector<TimePart> Parts() const;
};

// Takes in `tokens`, behind what the session holds: all at once, or one by one. The disk is sampled
// before and after; between tokens the disk and memory are, now and then, if the disk can be.
enum class Feeding { kAtOnce, kOneByOne };
Result<TimedRun> TimeRun(Model& model, Session& session, std::span<const int32_t> tokens,
                         Feeding feeding, DiskSampler& disk, MemorySampler& memory);

}  // namespace flashmoe
