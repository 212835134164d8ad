#include "io/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/test_path.h"
#include "io/test_file.h"

namespace flashmoe {
namespace {

using ::testing::HasSubstr;

TEST(FileTest, ReadsAnyRangeExactly) {
  TestFile test(::testing::TempDir(), 10'001);
  EXPECT_EQ(test.file()->size(), 10'001u);
  EXPECT_EQ(test.file()->path(), test.path());
  for (const auto& [offset, bytes] : {std::pair{0, 10'001}, {0, 1}, {10'000, 1}, {4095, 4098}}) {
    std::vector<std::byte> out(bytes);
    ASSERT_TRUE(test.file()->ReadAt(offset, out).has_value());
    EXPECT_TRUE(std::ranges::equal(out, test.content().subspan(offset, bytes)));
  }
  EXPECT_TRUE(test.file()->ReadAt(10'001, {}).has_value());
}

TEST(FileTest, ReadingPastTheEndNamesFileOffsetAndEnd) {
  TestFile test(::testing::TempDir(), 5000);
  std::vector<std::byte> out(100);
  const Status status = test.file()->ReadAt(4901, out);
  ASSERT_FALSE(status.has_value());
  EXPECT_THAT(status.error().ToString(), HasSubstr(test.path() + ", byte 4901"));
  EXPECT_THAT(status.error().ToString(), HasSubstr("ends early, at byte 5000"));
  EXPECT_FALSE(test.file()->ReadAt(UINT64_MAX, out).has_value());
  EXPECT_FALSE(test.file()->ReadAt(UINT64_MAX - 50, out).has_value());
}

TEST(FileTest, FileCutAfterOpeningIsAnError) {
  TestFile test(::testing::TempDir(), 5000);
  test.Truncate(4950);
  std::vector<std::byte> out(100);
  const Status status = test.file()->ReadAt(4900, out);
  ASSERT_FALSE(status.has_value());
  EXPECT_THAT(status.error().ToString(), HasSubstr("ends early, at byte 4950"));
}

TEST(FileTest, RefusesWhatIsNotARegularFile) {
  const std::string folder = ::testing::TempDir();
  auto directory = File::Open(folder);
  ASSERT_FALSE(directory.has_value());
  EXPECT_THAT(directory.error().ToString(), HasSubstr("a directory, not a file"));

  auto device = File::Open("/dev/null");
  ASSERT_FALSE(device.has_value());
  EXPECT_THAT(device.error().ToString(), HasSubstr("a device, not a file"));

  // Must not wait for a writer.
  const std::string pipe = TestPath("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  auto fifo = File::Open(pipe);
  unlink(pipe.c_str());
  ASSERT_FALSE(fifo.has_value());
  EXPECT_THAT(fifo.error().ToString(), HasSubstr("a pipe, not a file"));
}

TEST(FileTest, MissingFileIsNotFoundWithPath) {
  auto file = File::Open("/nowhere/at/all.gguf");
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(file.error().ToString(), HasSubstr("No such file or directory"));
  EXPECT_THAT(file.error().ToString(), HasSubstr("/nowhere/at/all.gguf"));
  EXPECT_FALSE(File::Open("").has_value());
  EXPECT_FALSE(File::Open(std::string("/etc\0/passwd", 12)).has_value());
}

TEST(FileTest, EmptyFileOpens) {
  TestFile test(::testing::TempDir(), 0);
  EXPECT_EQ(test.file()->size(), 0u);
  std::vector<std::byte> out(1);
  EXPECT_FALSE(test.file()->ReadAt(0, out).has_value());
}

TEST(FileTest, DescriptorsAreClosedOnExecAndBlocking) {
  TestFile test(::testing::TempDir(), 5000);
  EXPECT_NE(fcntl(test.file()->fd(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(fcntl(test.file()->fd(), F_GETFL) & (O_NONBLOCK | O_DIRECT), 0);
  if (test.file()->direct_fd() < 0) GTEST_SKIP() << "no O_DIRECT here";
  EXPECT_NE(fcntl(test.file()->direct_fd(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(fcntl(test.file()->direct_fd(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(test.file()->direct_fd(), F_GETFL) & O_DIRECT, 0);
}

}  // namespace
}  // namespace flashmoe
