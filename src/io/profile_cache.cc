#include "io/profile_cache.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

namespace flashmoe {
namespace {

// Raised when what is measured, or how, changes: older files are then no longer found.
constexpr int kVersion = 1;
constexpr time_t kKeepSeconds = 7 * 24 * 3600;
constexpr off_t kFileBytesMax = 1024;

// Large enough for any device, small enough to tell a number from garbage.
constexpr double kGbpsMax = 10'000;
constexpr double kLatencyUsMax = 1e9;
constexpr int kDepthMax = 4096;

std::string_view NameOf(ReaderKind kind) {
  switch (kind) {
    case ReaderKind::kUring:
      return "uring";
    case ReaderKind::kPread:
      return "pread";
    case ReaderKind::kMmap:
      return "mmap";
    case ReaderKind::kAuto:
      break;
  }
  return "auto";
}

// Everything by which a file system is known: its device, its own id and its kind. A device number
// alone may be another disk's after the next start of the machine.
std::optional<std::string> DeviceId(const File& file) {
  struct stat info;
  struct statfs volume;
  if (fstat(file.fd(), &info) != 0 || fstatfs(file.fd(), &volume) != 0) return std::nullopt;
  uint64_t id = 0;
  static_assert(sizeof volume.f_fsid == sizeof id);
  std::memcpy(&id, &volume.f_fsid, sizeof id);
  return fmt::format("{}-{}-{:x}-{:x}", major(info.st_dev), minor(info.st_dev), id,
                     static_cast<uint64_t>(volume.f_type));
}

std::string Write(const std::string& key, const DeviceProfile& p) {
  return fmt::format(
      "{}\nreader {}\ndirect {}\ndepth {}\nread_bytes {}\ngbps {:.4f}\n"
      "latency_us {:.1f}\nend\n",
      key, NameOf(p.reader), p.direct ? 1 : 0, p.depth, p.read_bytes, p.gbps, p.latency_us);
}

bool Plausible(const DeviceProfile& p) {
  return (p.reader == ReaderKind::kUring || p.reader == ReaderKind::kPread) && p.depth >= 1 &&
         p.depth <= kDepthMax && p.read_bytes > 0 && std::isfinite(p.gbps) && p.gbps > 0 &&
         p.gbps <= kGbpsMax && std::isfinite(p.latency_us) && p.latency_us > 0 &&
         p.latency_us <= kLatencyUsMax;
}

// Whatever is read must, written again, give the same text.
std::optional<DeviceProfile> Parse(const std::string& key, const std::string& text) {
  if (!text.starts_with(key + "\n")) return std::nullopt;
  DeviceProfile p;
  char reader[16] = {};
  int direct = 0;
  unsigned long long read_bytes = 0;
  const char* rest = text.c_str() + key.size() + 1;
  if (std::sscanf(rest,
                  "reader %15s direct %d depth %d read_bytes %llu gbps %lf latency_us %lf end",
                  reader, &direct, &p.depth, &read_bytes, &p.gbps, &p.latency_us) != 6) {
    return std::nullopt;
  }
  const Result<ReaderKind> kind = ReaderKindFromName(reader);
  if (!kind.has_value()) return std::nullopt;
  p.reader = *kind;
  p.direct = direct == 1;
  p.read_bytes = read_bytes;
  if (!Plausible(p) || Write(key, p) != text) return std::nullopt;
  p.from_cache = true;
  return p;
}

}  // namespace

ProfileCache::ProfileCache(std::string folder, const File& file, uint64_t read_bytes,
                           ReaderKind asked) {
  const std::optional<std::string> device = DeviceId(file);
  if (folder.empty() || !device.has_value()) return;
  // Sizes of the same power of two behave alike.
  const std::string name =
      fmt::format("disk-{}-{}k-{}", *device, std::bit_ceil(read_bytes) / 1024, NameOf(asked));
  path_ = std::move(folder) + "/" + name;
  key_ = fmt::format("flashmoe {} v{}", name, kVersion);
}

std::optional<DeviceProfile> ProfileCache::Find() const {
  struct stat info;
  if (path_.empty() || stat(path_.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return std::nullopt;
  }
  const time_t age = std::time(nullptr) - info.st_mtime;
  // Clocks of files and of programs may differ by a tick.
  if (age < -1 || age > kKeepSeconds || info.st_size > kFileBytesMax) return std::nullopt;
  std::ifstream file(path_, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return file.bad() ? std::nullopt : Parse(key_, text);
}

void ProfileCache::Store(const DeviceProfile& profile) const {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), ignored);
  const std::string fresh = fmt::format("{}.{}.new", path_, getpid());
  {
    std::ofstream file(fresh, std::ios::binary | std::ios::trunc);
    file << Write(key_, profile);
    file.close();
    if (!file.good()) {
      std::filesystem::remove(fresh, ignored);
      return;
    }
  }
  if (std::rename(fresh.c_str(), path_.c_str()) != 0) std::filesystem::remove(fresh, ignored);
}

}  // namespace flashmoe
