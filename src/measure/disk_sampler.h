// What the disk gives while a model runs: short bursts of reads between its tokens. A disk that its
// host meters is fast after a pause and slow after work, so that a measurement before or after the
// run would be of another disk.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "io/async_reader.h"
#include "io/device_probe.h"
#include "io/file.h"
#include "io/read_timer.h"

namespace flashmoe {

class DiskSampler {
 public:
  // More memory to read to shows nothing else.
  static constexpr uint64_t kBufferBytesMost = uint64_t{64} << 20;
  // Of memory, that take about a millisecond to read.
  static constexpr uint64_t kStepBytes = uint64_t{16} << 20;

  // Reads `file`, which outlives it, as `device` says; of a device that was not probed nothing is
  // sampled. Holds `buffer_bytes`, less than one read apart.
  static Result<DiskSampler> Create(const File& file, const DeviceProfile& device,
                                    uint64_t buffer_bytes);

  // A burst, added to `sum`. If reading fails, this and all later ones add nothing.
  void Sample(TimedBytes& sum);

  // The part of its speed that `step`, about a millisecond of computing, keeps while the disk reads
  // `bytes_per_s`, turn about: 1 if reads cost nothing. Takes 0.8 seconds a round. None: the disk
  // failed, or did not give that much.
  std::optional<double> SpeedKept(double bytes_per_s, const std::function<void()>& step,
                                  int rounds = 4);

  // Time for another? A burst costs about a twentieth of the time.
  bool Due(double now_s) const { return reader_ != nullptr && now_s - last_s_ >= kEvery_s; }

 private:
  static constexpr double kBurst_s = 0.04, kEvery_s = 0.8;

  DiskSampler() = default;
  // Calls of `step` a second; 0 if less than nine tenths of the bytes were asked for in time.
  double StepsPerSecond(double bytes_per_s, const std::function<void()>& step);

  std::unique_ptr<ReadTimer> timer_;
  std::unique_ptr<AsyncReader> reader_;  // null: nothing is sampled
  int depth_ = 1;
  double last_s_ = 0;
};

}  // namespace flashmoe
