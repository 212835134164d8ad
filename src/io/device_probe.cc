#include "io/device_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/memory.h"
#include "base/units.h"
#include "io/profile_cache.h"
#include "io/read_timer.h"

namespace flashmoe {
namespace {

constexpr uint64_t kReadBytesMax = 4 << 20;
constexpr int kDepthMax = 64;
// Deeper queues are taken for what they gain above this; another reader must gain more.
constexpr double kWorthwhile = 1.05;
constexpr double kReaderWorthwhile = 1.15;
constexpr int kLatencyReads = 9;
// Where reads past the page cache are slower than this, something between here and the device does
// not like them.
constexpr double kPageCacheWorthwhile = 1.5;

class Prober {
 public:
  // `read_bytes`: whole blocks.
  Prober(const File& file, uint64_t read_bytes, double seconds)
      : file_(file),
        read_bytes_(read_bytes),
        deadline_s_(NowSeconds() + seconds),
        slice_s_(seconds / kSlices) {}

  Status Prepare(uint64_t buffer_bytes) {
    FM_ASSIGN_OR_RETURN(timer_, ReadTimer::Create(file_, read_bytes_, buffer_bytes));
    depth_max_ = static_cast<int>(std::min<uint64_t>(timer_->places(), kDepthMax));
    return {};
  }

  // The speed of one reader, by depth: doubled until that no longer helps or time is over.
  Result<DeviceProfile> Measure(ReaderKind kind, bool direct, int depth_first, int depth_last) {
    DeviceProfile best;
    for (int depth = depth_first; depth <= std::min(depth_last, depth_max_); depth *= 2) {
      if (best.probed() && NowSeconds() + slice_s_ > deadline_s_) break;
      FM_ASSIGN_OR_RETURN(const auto reader, Make(kind, direct, depth));
      FM_ASSIGN_OR_RETURN(const TimedBytes timed, timer_->Run(*reader, depth, slice_s_));
      const double gbps = timed.per_s() * 1e-9;
      if (best.probed() && gbps < best.gbps * kWorthwhile) {
        if (depth >= 4 * best.depth) break;  // flat twice
        continue;
      }
      best = {.reader = kind, .direct = direct, .depth = depth, .read_bytes = read_bytes_};
      best.gbps = gbps;
    }
    return best;
  }

  // The median time of one read alone.
  Result<double> LatencyUs(ReaderKind kind, bool direct) {
    FM_ASSIGN_OR_RETURN(const auto reader, Make(kind, direct, 1));
    std::vector<double> times;
    const double end_s = NowSeconds() + slice_s_;
    while (times.empty() || (times.size() < kLatencyReads && NowSeconds() < end_s)) {
      FM_ASSIGN_OR_RETURN(const double seconds, timer_->RunOne(*reader));
      times.push_back(seconds);
    }
    std::ranges::nth_element(times, times.begin() + std::ssize(times) / 2);
    return times[times.size() / 2] * 1e6;
  }

  bool TimeLeft() const { return NowSeconds() + slice_s_ <= deadline_s_; }

 private:
  static constexpr int kSlices = 12;

  Result<std::unique_ptr<AsyncReader>> Make(ReaderKind kind, bool direct, int depth) {
    return MakeReader({.kind = kind, .direct = direct, .queue_depth = depth});
  }

  const File& file_;
  const uint64_t read_bytes_;
  const double deadline_s_;
  const double slice_s_;
  int depth_max_ = 1;
  std::optional<ReadTimer> timer_;
};

// io_uring first, where it is there; threads only if they are clearly faster.
Result<DeviceProfile> Probe(const File& file, uint64_t read_bytes, const ProbeOptions& options) {
  Prober prober(file, read_bytes, options.seconds_max);
  FM_RETURN_IF_ERROR(prober.Prepare(options.buffer_bytes));
  const bool direct = file.direct_fd() >= 0;
  std::optional<DeviceProfile> best;
  if (options.reader != ReaderKind::kPread) {
    auto uring = prober.Measure(ReaderKind::kUring, direct, 2, kDepthMax);
    if (uring.has_value() && uring->probed()) best = std::move(*uring);
    if (!best && options.reader == ReaderKind::kUring) return uring;
  }
  const int threads_first = best ? std::clamp(best->depth, 4, 16) : 2;
  if (!best || (options.reader == ReaderKind::kAuto && prober.TimeLeft())) {
    FM_ASSIGN_OR_RETURN(DeviceProfile pread,
                        prober.Measure(ReaderKind::kPread, direct, threads_first, 16));
    if (!best || pread.gbps > best->gbps * kReaderWorthwhile) best = std::move(pread);
  }
  FM_ASSIGN_OR_RETURN(best->latency_us, prober.LatencyUs(best->reader, best->direct));
  if (direct && prober.TimeLeft()) {
    const auto cached = prober.Measure(best->reader, false, best->depth, best->depth);
    if (cached.has_value() && cached->gbps > best->gbps * kPageCacheWorthwhile) {
      best->direct = false;
      best->gbps = cached->gbps;
    }
  }
  return std::move(*best);
}

DeviceProfile NotProbed(const File& file, const ProbeOptions& options, std::string why) {
  DeviceProfile profile;
  profile.reader = options.reader;
  profile.direct = file.direct_fd() >= 0;
  profile.why_not = std::move(why);
  return profile;
}

}  // namespace

DeviceProfile ProbeDevice(const File& file, uint64_t read_bytes, const ProbeOptions& options) {
  if (!options.enabled) return NotProbed(file, options, "probing is off");
  if (options.reader == ReaderKind::kMmap) {
    return NotProbed(file, options, "mapped reads go through the page cache");
  }
  read_bytes = std::clamp(AlignUp(read_bytes, kBlockBytes), kBlockBytes, kReadBytesMax);
  if (file.size() < std::max(options.file_bytes_least, read_bytes)) {
    return NotProbed(file, options, "the file is small");
  }
  const ProfileCache cache(options.cache_folder, file, read_bytes, options.reader);
  if (std::optional<DeviceProfile> known = cache.Find()) return std::move(*known);
  Result<DeviceProfile> profile = Probe(file, read_bytes, options);
  if (!profile.has_value()) return NotProbed(file, options, profile.error().ToString());
  cache.Store(*profile);
  return std::move(*profile);
}

std::string DeviceProfile::reader_name() const {
  return fmt::format("{}{}", reader == ReaderKind::kUring ? "uring" : "pread",
                     direct ? " direct" : "");
}

std::string DeviceProfile::ToString() const {
  if (!probed()) return fmt::format("not probed: {}", why_not);
  return fmt::format("{:.2f} GB/s by {}, {} reads of {} at once, {:.0f} us each alone{}", gbps,
                     reader_name(), depth, FormatBytes(read_bytes), latency_us,
                     from_cache ? " (measured earlier)" : "");
}

}  // namespace flashmoe
