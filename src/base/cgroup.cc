#include "base/cgroup.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>
#include <string_view>
#include <vector>

namespace flashmoe {
namespace {

// v1 says "no limit" with the largest page-aligned int64.
constexpr uint64_t kV1Unlimited = uint64_t{1} << 62;

// The folders of one controller's hierarchy from the process's own group up to the mount point.
struct GroupFolders {
  bool v2 = false;
  std::vector<std::string> folders;
};

std::optional<int64_t> ParseInt(std::string_view text) {
  int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc()) return std::nullopt;
  return value;
}

// The first word of a one-line file: "max", "-1" or a number.
std::string ReadWord(const std::string& path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

std::optional<uint64_t> ReadCount(const std::string& path) {
  const std::optional<int64_t> value = ParseInt(ReadWord(path));
  if (!value.has_value() || *value < 0) return std::nullopt;
  return static_cast<uint64_t>(*value);
}

bool HasItem(std::string_view list, std::string_view item) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    if (list.substr(0, comma) == item) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
  return false;
}

// The kernel writes space, tab, newline and backslash in mount paths as \ooo.
std::string Unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      int code = 0;
      const auto parsed = std::from_chars(&text[i + 1], &text[i] + 4, code, 8);
      if (parsed.ec == std::errc() && parsed.ptr == &text[i] + 4) {
        out += static_cast<char>(code);
        i += 3;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

// The process's group in the hierarchy of `controller` (v1), or in the unified one if it is empty.
std::optional<std::string> GroupPath(const std::string& root, std::string_view controller) {
  std::ifstream file(root + "/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {  // "4:memory:/a/b", "0::/a/b"
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string_view controllers =
        std::string_view(line).substr(first + 1, second - first - 1);
    if (controller.empty() ? controllers.empty() : HasItem(controllers, controller)) {
      return line.substr(second + 1);
    }
  }
  return std::nullopt;
}

struct Mount {
  std::string group_root;  // the group that is seen at the mount point
  std::string folder;
};

std::optional<Mount> FindMount(const std::string& root, std::string_view controller) {
  std::ifstream file(root + "/proc/self/mountinfo");
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string id, parent, device, group_root, folder, word, type, source, options;
    words >> id >> parent >> device >> group_root >> folder;
    while (words >> word && word != "-") {
    }
    words >> type >> source >> options;
    const bool wanted =
        controller.empty() ? type == "cgroup2" : type == "cgroup" && HasItem(options, controller);
    if (wanted) return Mount{Unescape(group_root), root + Unescape(folder)};
  }
  return std::nullopt;
}

std::vector<std::string> FoldersUpwards(const std::string& root, std::string_view controller) {
  const std::optional<Mount> mount = FindMount(root, controller);
  const std::optional<std::string> path = GroupPath(root, controller);
  if (!mount.has_value() || !path.has_value()) return {};
  // Below the mount point the path continues where the mounted group ends. In a container the
  // path may lie outside of what is mounted: then the mount point is all that can be seen.
  std::string_view below = *path;
  const std::string_view prefix =
      mount->group_root == "/" ? std::string_view() : std::string_view(mount->group_root);
  const bool inside = below.starts_with(prefix) && below.find("..") == std::string_view::npos;
  below = inside ? below.substr(prefix.size()) : std::string_view();
  std::vector<std::string> folders;
  while (below.size() > 1 && below.front() == '/') {
    folders.push_back(mount->folder + std::string(below));
    below = below.substr(0, below.rfind('/'));
  }
  folders.push_back(mount->folder);
  return folders;
}

// Where both hierarchies are mounted, a controller lives in exactly one of them.
GroupFolders FindFolders(const std::string& root, std::string_view controller) {
  std::vector<std::string> v1 = FoldersUpwards(root, controller);
  if (!v1.empty()) return {false, std::move(v1)};
  return {true, FoldersUpwards(root, {})};
}

// The page cache charged to a group, which the kernel drops before it kills anybody.
uint64_t ReclaimableBytes(const std::string& folder, bool v2) {
  const std::string prefix = v2 ? "" : "total_";  // v1 counts the groups below only in total_*
  std::ifstream file(folder + "/memory.stat");
  std::string name;
  uint64_t value = 0;
  uint64_t sum = 0;
  while (file >> name >> value) {
    if (name == prefix + "inactive_file" || name == prefix + "active_file") sum += value;
  }
  return sum;
}

uint64_t AvailableIn(const std::string& folder, bool v2) {
  const std::optional<uint64_t> limit =
      ReadCount(folder + (v2 ? "/memory.max" : "/memory.limit_in_bytes"));
  if (!limit.has_value() || *limit >= kV1Unlimited) return kNoMemoryLimit;
  const uint64_t usage =
      ReadCount(folder + (v2 ? "/memory.current" : "/memory.usage_in_bytes")).value_or(0);
  const uint64_t held = usage - std::min(usage, ReclaimableBytes(folder, v2));
  return *limit - std::min(*limit, held);
}

std::optional<double> QuotaIn(const std::string& folder, bool v2) {
  std::string quota, period;
  if (v2) {
    std::ifstream file(folder + "/cpu.max");  // "max 100000" or "150000 100000"
    file >> quota >> period;
  } else {
    quota = ReadWord(folder + "/cpu.cfs_quota_us");  // -1: none
    period = ReadWord(folder + "/cpu.cfs_period_us");
  }
  const std::optional<int64_t> quota_us = ParseInt(quota);
  const std::optional<int64_t> period_us = ParseInt(period);
  if (!quota_us.has_value() || !period_us.has_value() || *quota_us <= 0 || *period_us <= 0) {
    return std::nullopt;
  }
  return static_cast<double>(*quota_us) / static_cast<double>(*period_us);
}

}  // namespace

uint64_t CgroupAvailableBytes(const std::string& root) {
  const GroupFolders groups = FindFolders(root, "memory");
  uint64_t available = kNoMemoryLimit;
  for (const std::string& folder : groups.folders) {
    available = std::min(available, AvailableIn(folder, groups.v2));
  }
  return available;
}

std::optional<double> CgroupCpuQuota(const std::string& root) {
  const GroupFolders groups = FindFolders(root, "cpu");
  std::optional<double> smallest;
  for (const std::string& folder : groups.folders) {
    const std::optional<double> quota = QuotaIn(folder, groups.v2);
    if (quota.has_value()) smallest = std::min(smallest.value_or(*quota), *quota);
  }
  return smallest;
}

std::optional<uint64_t> ReadKbField(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    if (!line.starts_with(name + ":")) continue;
    std::istringstream words(line.substr(name.size() + 1));
    uint64_t kb = 0;
    if (!(words >> kb)) return std::nullopt;
    return kb * 1024;
  }
  return std::nullopt;
}

}  // namespace flashmoe
