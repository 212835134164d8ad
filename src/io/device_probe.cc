#include "io/device_probe.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <random>
#include <vector>

#include "base/clock.h"
#include "base/memory.h"
#include "base/units.h"
#include "io/page_cache.h"
#include "io/profile_cache.h"

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
constexpr int kUncachedTries = 16;

class Prober {
 public:
  // `read_bytes`: whole blocks.
  Prober(const File& file, uint64_t read_bytes, double seconds)
      : file_(file),
        read_bytes_(read_bytes),
        deadline_s_(NowSeconds() + seconds),
        slice_s_(seconds / kSlices) {}

  Status Prepare(uint64_t buffer_bytes) {
    slots_ = std::max<uint64_t>(buffer_bytes / read_bytes_, 1);
    depth_max_ = static_cast<int>(std::min<uint64_t>(slots_, kDepthMax));
    FM_ASSIGN_OR_RETURN(memory_, Memory::Allocate(slots_ * read_bytes_));
    // The pages are there before the clock runs.
    for (uint64_t at = 0; at < memory_.size(); at += kPageBytes) memory_.data()[at] = std::byte{1};
    return {};
  }

  // The speed of one reader, by depth: doubled until that no longer helps or time is over.
  Result<DeviceProfile> Measure(ReaderKind kind, bool direct, int depth_first, int depth_last) {
    DeviceProfile best;
    for (int depth = depth_first; depth <= std::min(depth_last, depth_max_); depth *= 2) {
      if (best.probed() && NowSeconds() + slice_s_ > deadline_s_) break;
      FM_ASSIGN_OR_RETURN(const double gbps, Rate(kind, direct, depth));
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
      const double start_s = NowSeconds();
      FM_RETURN_IF_ERROR(Submit(*reader));
      FM_RETURN_IF_ERROR(Reap(*reader));
      times.push_back(NowSeconds() - start_s);
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

  Status Submit(AsyncReader& reader) {
    uint64_t offset = RandomOffset();
    if (!reader.direct()) {
      // What the page cache holds already says nothing about the device.
      int tries = 1;
      while (tries++ < kUncachedTries && MiddleInPageCache(offset)) offset = RandomOffset();
      if (MiddleInPageCache(offset)) return Fail(ErrorCode::kIo, "the page cache holds the file");
    }
    std::byte* dest = memory_.data() + next_slot_++ % slots_ * read_bytes_;
    reader.Submit({&file_, offset, read_bytes_, dest, offset});
    return {};
  }

  uint64_t RandomOffset() {
    const uint64_t blocks = (file_.size() - read_bytes_) / kBlockBytes;
    return random_() % (blocks + 1) * kBlockBytes;
  }

  bool MiddleInPageCache(uint64_t offset) const {
    return InPageCache(file_, offset + read_bytes_ / 2);
  }

  // Waits for at least one; the completions are in done_.
  Status Reap(AsyncReader& reader) {
    done_.clear();
    reader.Reap(/*wait=*/true, done_);
    for (ReadCompletion& completion : done_) {
      FM_RETURN_IF_ERROR(std::move(completion.status));
      if (reader.direct()) continue;  // others are left the page cache as it was
      posix_fadvise(file_.fd(), static_cast<off_t>(completion.tag), static_cast<off_t>(read_bytes_),
                    POSIX_FADV_DONTNEED);
    }
    return {};
  }

  // Bytes a second, in 10^9, with `depth` reads always in flight: those that ended after the first
  // ones, over the time since then, so that neither start nor end counts.
  Result<double> Rate(ReaderKind kind, bool direct, int depth) {
    FM_ASSIGN_OR_RETURN(const auto reader, Make(kind, direct, depth));
    for (int i = 0; i < depth; ++i) FM_RETURN_IF_ERROR(Submit(*reader));
    const double begin_s = NowSeconds();
    double start_s = 0, last_s = 0;
    uint64_t reads = 0, warm_up = 0;
    do {
      FM_RETURN_IF_ERROR(Reap(*reader));
      last_s = NowSeconds();
      if (start_s == 0) {
        start_s = last_s;
        warm_up = done_.size();
      } else {
        reads += done_.size();
      }
      for (size_t i = 0; i < done_.size(); ++i) FM_RETURN_IF_ERROR(Submit(*reader));
      reader->Flush();
    } while (last_s - begin_s < slice_s_);
    while (reader->in_flight() > 0) FM_RETURN_IF_ERROR(Reap(*reader));
    if (reads == 0) {  // a slow disk: count everything
      reads = warm_up + static_cast<uint64_t>(depth);
      last_s = NowSeconds();
      start_s = begin_s;
    }
    return static_cast<double>(reads * read_bytes_) / std::max(last_s - start_s, 1e-6) * 1e-9;
  }

  const File& file_;
  const uint64_t read_bytes_;
  const double deadline_s_;
  const double slice_s_;
  int depth_max_ = 1;
  uint64_t slots_ = 1;
  uint64_t next_slot_ = 0;
  Memory memory_;
  std::mt19937_64 random_{std::random_device{}()};
  std::vector<ReadCompletion> done_;
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
