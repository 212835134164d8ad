#include "io/device_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "base/clock.h"
#include "base/test_path.h"
#include "io/page_cache.h"
#include "io/profile_cache.h"
#include "io/test_file.h"

namespace flashmoe {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kFileBytes = 32 << 20;
constexpr uint64_t kReadBytes = 200'000;

class DeviceProbeTest : public ::testing::Test {
 protected:
  DeviceProbeTest() : folder_(TestPath("probe")) {}
  ~DeviceProbeTest() override { std::filesystem::remove_all(folder_); }

  ProbeOptions Options() const {
    return {.seconds_max = 0.1,
            .file_bytes_least = kFileBytes,
            .buffer_bytes = 8 << 20,
            .cache_folder = folder_};
  }
  static std::string Read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static void Write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
  }

  const std::string folder_;
  const TestFile test_{::testing::TempDir(), kFileBytes};
};

void ExpectSensible(const DeviceProfile& profile) {
  ASSERT_TRUE(profile.probed()) << profile.ToString();
  EXPECT_GE(profile.depth, 1);
  EXPECT_LE(profile.depth, 64);
  EXPECT_GT(profile.latency_us, 0);
  EXPECT_GE(profile.read_bytes, kReadBytes);
  EXPECT_LT(profile.read_bytes, kReadBytes + kBlockBytes);
  EXPECT_THAT(profile.ToString(), HasSubstr("GB/s by "));
}

TEST_F(DeviceProbeTest, MeasuresWithinItsTime) {
  const double start_s = NowSeconds();
  const DeviceProfile profile = ProbeDevice(*test_.file(), kReadBytes, Options());
  EXPECT_LT(NowSeconds() - start_s, 5) << "far too long, even for a busy machine";
  ExpectSensible(profile);
  EXPECT_FALSE(profile.from_cache);
}

TEST_F(DeviceProbeTest, TimesOnlyTheReaderThatWasAskedFor) {
  ProbeOptions options = Options();
  options.reader = ReaderKind::kPread;
  const DeviceProfile profile = ProbeDevice(*test_.file(), kReadBytes, options);
  ExpectSensible(profile);
  EXPECT_EQ(profile.reader, ReaderKind::kPread);
  EXPECT_LE(profile.depth, 16);
}

TEST_F(DeviceProbeTest, WorksWithoutDirectReads) {
  if (access("/dev/shm", W_OK) != 0) GTEST_SKIP() << "no /dev/shm";
  const TestFile test("/dev/shm", kFileBytes);
  if (test.file()->direct_fd() >= 0) GTEST_SKIP() << "this system's tmpfs takes direct reads";
  const DeviceProfile profile = ProbeDevice(*test.file(), kReadBytes, Options());
  EXPECT_FALSE(profile.direct);
  // What lies in memory is no device to be measured.
  EXPECT_FALSE(profile.probed());
  EXPECT_THAT(profile.ToString(), HasSubstr("the page cache holds the file"));
}

TEST_F(DeviceProbeTest, KnowsWhatThePageCacheHolds) {
  const int fd = test_.file()->fd();
  std::vector<std::byte> all(kFileBytes);
  ASSERT_TRUE(test_.file()->ReadAt(0, all).has_value());
  EXPECT_TRUE(InPageCache(*test_.file(), 0));
  EXPECT_TRUE(InPageCache(*test_.file(), kFileBytes - 1));
  EXPECT_FALSE(InPageCache(*test_.file(), kFileBytes));
  if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0) GTEST_SKIP() << "not droppable here";
  int cached = 0;
  for (uint64_t at = 0; at < kFileBytes; at += 1 << 20) cached += InPageCache(*test_.file(), at);
  EXPECT_LT(cached, 16) << "at least some of it has been dropped";
}

TEST_F(DeviceProbeTest, SaysWhyItDidNotMeasure) {
  ProbeOptions options = Options();
  options.enabled = false;
  EXPECT_EQ(ProbeDevice(*test_.file(), kReadBytes, options).why_not, "probing is off");
  options = Options();
  options.file_bytes_least = kFileBytes + 1;
  EXPECT_EQ(ProbeDevice(*test_.file(), kReadBytes, options).why_not, "the file is small");
  options = Options();
  options.reader = ReaderKind::kMmap;
  const DeviceProfile mapped = ProbeDevice(*test_.file(), kReadBytes, options);
  EXPECT_FALSE(mapped.probed());
  EXPECT_EQ(mapped.reader, ReaderKind::kMmap);
  EXPECT_FALSE(std::filesystem::exists(folder_)) << "nothing was measured, nothing is kept";
}

TEST_F(DeviceProbeTest, AFileThatIsCutMeanwhileIsNoMeasurement) {
  TestFile test(::testing::TempDir(), kFileBytes);
  test.Truncate(4096);
  const DeviceProfile profile = ProbeDevice(*test.file(), kReadBytes, Options());
  EXPECT_FALSE(profile.probed());
  EXPECT_THAT(profile.why_not, HasSubstr(test.path()));
}

TEST_F(DeviceProbeTest, RemembersWhatItMeasured) {
  const DeviceProfile first = ProbeDevice(*test_.file(), kReadBytes, Options());
  const DeviceProfile again = ProbeDevice(*test_.file(), kReadBytes + 1, Options());
  EXPECT_TRUE(again.from_cache);
  EXPECT_EQ(again.reader, first.reader);
  EXPECT_EQ(again.depth, first.depth);
  EXPECT_EQ(again.direct, first.direct);
  EXPECT_NEAR(again.gbps, first.gbps, 1e-3);
  EXPECT_NEAR(again.latency_us, first.latency_us, 0.1);
  // Another kind of question is measured for itself.
  EXPECT_FALSE(ProbeDevice(*test_.file(), 4 * kReadBytes, Options()).from_cache);
  ProbeOptions pread = Options();
  pread.reader = ReaderKind::kPread;
  EXPECT_FALSE(ProbeDevice(*test_.file(), kReadBytes, pread).from_cache);
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    EXPECT_THAT(entry.path().filename().string(), testing::Not(HasSubstr("new")));
  }
}

TEST_F(DeviceProbeTest, DamagedMemoriesAreIgnored) {
  ProbeDevice(*test_.file(), kReadBytes, Options());
  const uint64_t read_bytes = AlignUp(kReadBytes, kBlockBytes);
  const ProfileCache cache(folder_, *test_.file(), read_bytes, ReaderKind::kAuto);
  const std::string good = Read(cache.path());
  ASSERT_TRUE(cache.Find().has_value()) << good;

  for (size_t left = 0; left < good.size(); ++left) {
    Write(cache.path(), good.substr(0, left));
    EXPECT_FALSE(cache.Find().has_value()) << left;
  }
  for (size_t at = 0; at < good.size(); ++at) {
    std::string changed = good;
    changed[at] = '~';
    Write(cache.path(), changed);
    EXPECT_FALSE(cache.Find().has_value()) << changed;
  }
  const std::string head = good.substr(0, good.find('\n'));
  for (const char* rest :
       {"reader mmap\ndirect 1\ndepth 8\nread_bytes 4096\ngbps 1.0000\nlatency_us 9.0\nend\n",
        "reader uring\ndirect 1\ndepth 0\nread_bytes 4096\ngbps 1.0000\nlatency_us 9.0\nend\n",
        "reader uring\ndirect 1\ndepth 8\nread_bytes 4096\ngbps nan\nlatency_us 9.0\nend\n",
        "reader uring\ndirect 1\ndepth 8\nread_bytes 4096\ngbps -1.0000\nlatency_us 9.0\nend\n",
        "reader uring\ndirect 7\ndepth 8\nread_bytes 4096\ngbps 1.0000\nlatency_us 9.0\nend\n"}) {
    Write(cache.path(), head + "\n" + rest);
    EXPECT_FALSE(cache.Find().has_value()) << rest;
  }
  Write(cache.path(), good);
  EXPECT_TRUE(cache.Find().has_value());
  ExpectSensible(ProbeDevice(*test_.file(), kReadBytes, Options()));
}

TEST_F(DeviceProbeTest, OldMemoriesAreForgotten) {
  ProbeDevice(*test_.file(), kReadBytes, Options());
  const ProfileCache cache(folder_, *test_.file(), AlignUp(kReadBytes, kBlockBytes),
                           ReaderKind::kAuto);
  ASSERT_TRUE(cache.Find().has_value());
  for (const int days : {8, -1}) {
    const time_t then = std::time(nullptr) - days * 24 * 3600;
    const timespec times[2] = {{then, 0}, {then, 0}};
    ASSERT_EQ(utimensat(AT_FDCWD, cache.path().c_str(), times, 0), 0);
    EXPECT_FALSE(cache.Find().has_value()) << days;
  }
}

TEST_F(DeviceProbeTest, NowhereToKeepItIsNoError) {
  Write(folder_, "a file where the folder should be");
  ExpectSensible(ProbeDevice(*test_.file(), kReadBytes, Options()));
  ProbeOptions options = Options();
  options.cache_folder = "/proc/no/such/place";
  ExpectSensible(ProbeDevice(*test_.file(), kReadBytes, options));
  EXPECT_TRUE(ProfileCache({}, *test_.file(), kReadBytes, ReaderKind::kAuto).path().empty());
}

}  // namespace
}  // namespace flashmoe
