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
  FM_ASSIGN_OR_RETURN(
      sampler.reader_,
      MakeReader({.kind = device.reader, .direct = device.direct, .queue_depth = sampler.depth_}));
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

}  // namespace flashmoe
