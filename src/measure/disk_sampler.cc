#include "measure/disk_sampler.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"

namespace flashmoe {

Result<DiskSampler> DiskSampler::Create(const File& file, const DeviceProfile& device,
                                        uint64_t buffer_bytes) {
  DiskSampler sampler;
  if (!device.probed()) return sampler;
  FM_ASSIGN_OR_RETURN(ReadTimer timer, ReadTimer::Create(file, device.read_bytes, buffer_bytes));
  sampler.timer_ = std::make_unique<ReadTimer>(std::move(timer));
  sampler.depth_ = std::clamp(device.depth, 1, static_cast<int>(sampler.timer_->places()));
  FM_ASSIGN_OR_RETURN(sampler.reader_, MakeReader({.kind = device.reader_to_make(),
                                                   .direct = device.direct,
                                                   .queue_depth = sampler.depth_}));
  return sampler;
}

void DiskSampler::Sample(TimedBytes& sum) {
  if (reader_ == nullptr) return;
  if (const Result<TimedBytes> burst = timer_->Run(*reader_, depth_, kBurst_s)) {
    sum += *burst;
  } else {
    reader_.reset();
  }
  last_s_ = NowSeconds();
}

std::optional<double> DiskSampler::SpeedKept(double bytes_per_s, const std::function<void()>& step,
                                             int rounds) {
  // The best of some, as roofs are: what others take from this machine is not the reads' doing.
  double alone = 0, beside = 0;
  for (int round = 0; round < rounds; ++round) {
    alone = std::max(alone, StepsPerSecond(0, step));
    beside = std::max(beside, StepsPerSecond(bytes_per_s, step));
  }
  if (reader_ == nullptr || beside == 0) return std::nullopt;
  return std::min(1.0, beside / alone);
}

double DiskSampler::StepsPerSecond(double bytes_per_s, const std::function<void()>& step) {
  // A host that shares its processors out does so by tenths of a second.
  constexpr double kSeconds = 0.4, kLeastPart = 0.9;
  if (reader_ == nullptr) return 0;
  const double begin_s = NowSeconds();
  int steps = 0;
  double now_s = begin_s;
  for (; reader_ != nullptr && now_s - begin_s < kSeconds; now_s = NowSeconds()) {
    step();
    ++steps;
    if (bytes_per_s == 0) continue;
    const auto due = static_cast<uint64_t>(bytes_per_s * (NowSeconds() - begin_s));
    if (!timer_->Continue(*reader_, depth_, due).has_value()) reader_.reset();
  }
  const double due = bytes_per_s * (now_s - begin_s);
  const bool in_time = static_cast<double>(timer_->started_bytes()) >= kLeastPart * due;
  if (reader_ != nullptr && !timer_->Drain(*reader_).has_value()) reader_.reset();
  return in_time ? steps / (now_s - begin_s) : 0;
}

}  // namespace flashmoe
