// What the control groups above this process allow it, for v1 and v2 hierarchies. Internal to base.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

namespace flashmoe {

inline constexpr uint64_t kNoMemoryLimit = std::numeric_limits<uint64_t>::max();

// `root` stands for "/": the files proc/self/cgroup, proc/self/mountinfo and the mount points named
// there are looked up below it. Tests pass a folder.

// The smallest, over the process's group and all its ancestors, of limit minus what is used there
// and cannot be reclaimed (the page cache can); kNoMemoryLimit if no group has a limit.
uint64_t CgroupAvailableBytes(const std::string& root);

// The smallest CPU quota in CPUs (1.5: one and a half), nullopt if none is set.
std::optional<double> CgroupCpuQuota(const std::string& root);

// The value of a "name: 123 kB" line of a file like proc/meminfo, in bytes; nullopt if absent.
std::optional<uint64_t> ReadKbField(const std::string& path, const std::string& name);

}  // namespace flashmoe
