#include "base/cgroup.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/test_path.h"

namespace flashmoe {
namespace {

namespace fs = std::filesystem;

// A folder that stands for "/" and holds what a test puts there.
class CgroupTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = TestPath("cgroup");
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  void Put(const std::string& path, const std::string& text) {
    const fs::path file = root_ + path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }

  void PutV2(const std::string& group) {
    Put("/proc/self/cgroup", "0::" + group + "\n");
    Put("/proc/self/mountinfo",
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
        "30 22 0:27 / /sys/fs/cgroup rw,nosuid shared:9 master:2 - cgroup2 cgroup2 rw\n");
  }

  void PutV1(const std::string& group, const std::string& mounted_group = "/") {
    Put("/proc/self/cgroup",
        "9:name=systemd:/x\n4:memory:" + group + "\n1:cpuacct,cpu:" + group + "\n0::/\n");
    Put("/proc/self/mountinfo",
        "31 30 0:28 " + mounted_group +
            " /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
            "34 30 0:31 " +
            mounted_group +
            " /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
            "40 30 0:37 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n");
  }

  std::string root_;
};

constexpr const char* kV2 = "/sys/fs/cgroup";
constexpr const char* kV1Memory = "/sys/fs/cgroup/memory";
constexpr const char* kV1Cpu = "/sys/fs/cgroup/cpu,cpuacct";

TEST_F(CgroupTest, NoFilesMeanNoLimit) {
  EXPECT_EQ(CgroupAvailableBytes(root_), kNoMemoryLimit);
  EXPECT_EQ(CgroupCpuQuota(root_), std::nullopt);
}

TEST_F(CgroupTest, V2SubtractsWhatCannotBeReclaimed) {
  PutV2("/user/app");
  const std::string group = std::string(kV2) + "/user/app";
  Put(group + "/memory.max", "1000000\n");
  Put(group + "/memory.current", "700000\n");
  Put(group + "/memory.stat",
      "anon 400000\nfile 300000\ninactive_anon 5\nactive_file 100000\ninactive_file 150000\n");
  EXPECT_EQ(CgroupAvailableBytes(root_), 1000000u - (700000 - 250000));
}

TEST_F(CgroupTest, V2TakesTheTightestAncestor) {
  PutV2("/a/b/c");
  Put(std::string(kV2) + "/a/b/c/memory.max", "max\n");
  Put(std::string(kV2) + "/a/b/memory.max", "900\n");
  Put(std::string(kV2) + "/a/b/memory.current", "100\n");
  Put(std::string(kV2) + "/a/memory.max", "2000\n");
  Put(std::string(kV2) + "/a/memory.current", "1900\n");
  Put(std::string(kV2) + "/a/memory.stat", "active_file 50\n");
  EXPECT_EQ(CgroupAvailableBytes(root_), 150u);
}

TEST_F(CgroupTest, V2ReadsTheMountPointItself) {
  PutV2("/");
  Put(std::string(kV2) + "/memory.max", "5000\n");
  Put(std::string(kV2) + "/memory.current", "1000\n");
  EXPECT_EQ(CgroupAvailableBytes(root_), 4000u);
}

TEST_F(CgroupTest, UsageAboveTheLimitLeavesNothing) {
  PutV2("/a");
  Put(std::string(kV2) + "/a/memory.max", "1000\n");
  Put(std::string(kV2) + "/a/memory.current", "1500\n");
  EXPECT_EQ(CgroupAvailableBytes(root_), 0u);
}

TEST_F(CgroupTest, CacheLargerThanUsageIsNotCountedTwice) {
  PutV2("/a");
  Put(std::string(kV2) + "/a/memory.max", "1000\n");
  Put(std::string(kV2) + "/a/memory.current", "100\n");
  Put(std::string(kV2) + "/a/memory.stat", "active_file 400\n");
  EXPECT_EQ(CgroupAvailableBytes(root_), 1000u);
}

TEST_F(CgroupTest, V1CountsTheGroupsBelowInItsTotals) {
  PutV1("/jobs/7");
  const std::string group = std::string(kV1Memory) + "/jobs/7";
  Put(group + "/memory.limit_in_bytes", "8000\n");
  Put(group + "/memory.usage_in_bytes", "6000\n");
  Put(group + "/memory.stat",
      "inactive_file 1\nactive_file 2\ntotal_inactive_file 1000\ntotal_active_file 500\n");
  Put(std::string(kV1Memory) + "/jobs/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(CgroupAvailableBytes(root_), 8000u - (6000 - 1500));
}

TEST_F(CgroupTest, V1UnlimitedIsNoLimit) {
  PutV1("/");
  Put(std::string(kV1Memory) + "/memory.limit_in_bytes", "9223372036854771712\n");
  Put(std::string(kV1Memory) + "/memory.usage_in_bytes", "6000\n");
  EXPECT_EQ(CgroupAvailableBytes(root_), kNoMemoryLimit);
}

TEST_F(CgroupTest, V1InAContainerStartsAtTheMountedGroup) {
  PutV1("/docker/abc/inner", "/docker/abc");
  Put(std::string(kV1Memory) + "/inner/memory.limit_in_bytes", "3000\n");
  Put(std::string(kV1Memory) + "/memory.limit_in_bytes", "2000\n");
  EXPECT_EQ(CgroupAvailableBytes(root_), 2000u);
}

TEST_F(CgroupTest, APathOutsideOfTheMountFallsBackToTheMountPoint) {
  PutV1("/elsewhere", "/docker/abc");
  Put(std::string(kV1Memory) + "/memory.limit_in_bytes", "2000\n");
  EXPECT_EQ(CgroupAvailableBytes(root_), 2000u);
  PutV2("/../../init");
  Put(std::string(kV2) + "/memory.max", "7000\n");
  EXPECT_EQ(CgroupAvailableBytes(root_), 7000u);
}

TEST_F(CgroupTest, ASiblingWithTheSameBeginningIsNotMistakenForTheMountedGroup) {
  PutV1("/docker/abcdef", "/docker/abc");
  Put(std::string(kV1Memory) + "/memory.limit_in_bytes", "2000\n");
  Put(std::string(kV1Memory) + "def/memory.limit_in_bytes", "1\n");
  EXPECT_EQ(CgroupAvailableBytes(root_), 2000u);
}

TEST_F(CgroupTest, EscapedMountPathsAreDecoded) {
  Put("/proc/self/cgroup", "0::/a\n");
  Put("/proc/self/mountinfo", "30 22 0:27 / /my\\040groups rw - cgroup2 cgroup2 rw\n");
  Put("/my groups/a/memory.max", "123\n");
  EXPECT_EQ(CgroupAvailableBytes(root_), 123u);
}

TEST_F(CgroupTest, GarbageIsIgnored) {
  PutV2("/a");
  Put(std::string(kV2) + "/a/memory.max", "plenty\n");
  Put(std::string(kV2) + "/a/cpu.max", "\n");
  EXPECT_EQ(CgroupAvailableBytes(root_), kNoMemoryLimit);
  EXPECT_EQ(CgroupCpuQuota(root_), std::nullopt);
  Put("/proc/self/cgroup", "nonsense\n::\n");
  Put("/proc/self/mountinfo", "1 2\n\n- - -\n");
  EXPECT_EQ(CgroupAvailableBytes(root_), kNoMemoryLimit);
}

TEST_F(CgroupTest, V2CpuQuota) {
  PutV2("/a/b");
  Put(std::string(kV2) + "/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(CgroupCpuQuota(root_), std::nullopt);
  Put(std::string(kV2) + "/a/cpu.max", "150000 100000\n");
  EXPECT_EQ(CgroupCpuQuota(root_), 1.5);
  Put(std::string(kV2) + "/a/b/cpu.max", "50000 100000\n");
  EXPECT_EQ(CgroupCpuQuota(root_), 0.5);
}

TEST_F(CgroupTest, V1CpuQuota) {
  PutV1("/a");
  Put(std::string(kV1Cpu) + "/a/cpu.cfs_quota_us", "-1\n");
  Put(std::string(kV1Cpu) + "/a/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(CgroupCpuQuota(root_), std::nullopt);
  Put(std::string(kV1Cpu) + "/a/cpu.cfs_quota_us", "300000\n");
  EXPECT_EQ(CgroupCpuQuota(root_), 3.0);
  Put(std::string(kV1Cpu) + "/a/cpu.cfs_period_us", "0\n");
  EXPECT_EQ(CgroupCpuQuota(root_), std::nullopt);
}

TEST_F(CgroupTest, ReadsKilobyteFields) {
  Put("/proc/meminfo", "MemTotal:  16384 kB\nMemAvailable:       8 kB\nBad: x kB\n");
  EXPECT_EQ(ReadKbField(root_ + "/proc/meminfo", "MemAvailable"), 8192u);
  EXPECT_EQ(ReadKbField(root_ + "/proc/meminfo", "Mem"), std::nullopt);
  EXPECT_EQ(ReadKbField(root_ + "/proc/meminfo", "Bad"), std::nullopt);
  EXPECT_EQ(ReadKbField(root_ + "/proc/absent", "MemTotal"), std::nullopt);
}

}  // namespace
}  // namespace flashmoe
