#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <span>

#include "base/test_path.h"
#include "io/async_reader.h"
#include "io/test_file.h"

namespace flashmoe {
namespace {

using ::testing::HasSubstr;

// Filters the system calls of this process from here on.
bool Filter(std::span<sock_filter> program) {
  const sock_fprog filter = {static_cast<uint16_t>(program.size()), program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// Makes a system call fail with EPERM, as containers do.
bool Forbid(unsigned call) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  return Filter(program);
}

// Makes opening for reads past the page cache fail, as volumes do that know none.
bool ForbidDirectReads() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_DIRECT, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  return Filter(program);
}

[[noreturn]] void Say(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  std::_Exit(0);
}

// Each runs in a child process, which prints what it got.
[[noreturn]] void MakeWithout(unsigned call, ReaderKind kind) {
  if (!Forbid(call)) Say("cannot forbid");
  auto reader = MakeReader({.kind = kind});
  Say(reader.has_value() ? std::string((*reader)->name()) : reader.error().ToString());
}

TEST(MakeReaderTest, WithoutIoUringAutoTakesPread) {
  EXPECT_EXIT(MakeWithout(SYS_io_uring_setup, ReaderKind::kAuto), ::testing::ExitedWithCode(0),
              "pread direct");
}

TEST(MakeReaderTest, ARingThatMayNotBeUsedIsNone) {
  EXPECT_EXIT(MakeWithout(SYS_io_uring_enter, ReaderKind::kAuto), ::testing::ExitedWithCode(0),
              "pread direct");
  EXPECT_EXIT(MakeWithout(SYS_io_uring_enter, ReaderKind::kUring), ::testing::ExitedWithCode(0),
              "may not be used.*--io pread");
}

TEST(MakeReaderTest, WithoutIoUringAskingForItSaysWhatToDo) {
  EXPECT_EXIT(MakeWithout(SYS_io_uring_setup, ReaderKind::kUring), ::testing::ExitedWithCode(0),
              "io_uring is not available: Operation not permitted.*--io pread");
}

TEST(MakeReaderTest, WithoutGuardedCopiesMmapSaysWhatToDo) {
  EXPECT_EXIT(MakeWithout(SYS_process_vm_readv, ReaderKind::kMmap), ::testing::ExitedWithCode(0),
              "process_vm_readv.*Operation not permitted.*--io pread");
}

// Reads with a lock limit of 64 KiB, as root (who is exempt) and with that privilege gone.
[[noreturn]] void ReadWithLowLockLimit(const File* file, bool drop_root) {
  const rlimit limit = {65'536, 65'536};
  if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) Say("cannot limit");
  if (drop_root && geteuid() == 0 && setuid(65'534) != 0) Say("cannot drop");
  auto memory = Memory::Allocate(uint64_t{32} << 20);
  auto reader = MakeReader({.buffers = memory->span()});
  if (!reader.has_value()) Say(reader.error().ToString());
  (*reader)->Submit({file, 0, 100'000, memory->data(), 1});
  std::vector<ReadCompletion> done;
  while (done.empty()) (*reader)->Reap(/*wait=*/true, done);
  if (!done[0].status.has_value()) Say(done[0].status.error().ToString());
  std::vector<std::byte> expected(100'000);
  if (!file->ReadAt(0, expected).has_value()) Say("no reference");
  Say(std::memcmp(expected.data(), memory->data(), 100'000) == 0 ? "same bytes" : "other bytes");
}

TEST(MakeReaderTest, LowLockLimitOnlyMeansNoRegistration) {
  TestFile test(::testing::TempDir(), 100'000);
  EXPECT_EXIT(ReadWithLowLockLimit(test.file(), false), ::testing::ExitedWithCode(0), "same bytes");
  EXPECT_EXIT(ReadWithLowLockLimit(test.file(), true), ::testing::ExitedWithCode(0), "same bytes");
}

// Where registering anything is forbidden, reads do without. Probing a ring is registering too, so
// a ring of which nothing can be learned is none.
TEST(MakeReaderTest, WithoutRegistrationAutoTakesPread) {
  EXPECT_EXIT(MakeWithout(SYS_io_uring_register, ReaderKind::kAuto), ::testing::ExitedWithCode(0),
              "pread direct");
}

// Reads a file in `folder` by every reader; what came of it. The file is gone before the child
// ends.
std::string ReadByAll(const std::string& folder, bool direct) {
  TestFile test(folder, 100'000);
  if ((test.file()->direct_fd() >= 0) != direct) return "opened otherwise";
  auto memory = Memory::Allocate(uint64_t{1} << 20);
  for (const ReaderKind kind : {ReaderKind::kAuto, ReaderKind::kPread, ReaderKind::kMmap}) {
    auto reader = MakeReader({.kind = kind, .buffers = memory->span()});
    if (!reader.has_value()) return reader.error().ToString();
    std::memset(memory->data(), 0, memory->size());
    (*reader)->Submit({test.file(), 5000, 90'000, memory->data(), 1});
    std::vector<ReadCompletion> done;
    while (done.empty()) (*reader)->Reap(/*wait=*/true, done);
    if (!done[0].status.has_value()) return done[0].status.error().ToString();
    if (std::memcmp(test.content().data() + 5000, memory->data() + 5000 % kBlockBytes, 90'000)) {
      return "other bytes";
    }
  }
  return "same bytes";
}

[[noreturn]] void ReadWithoutDirectReads() {
  if (!ForbidDirectReads()) Say("cannot forbid");
  Say(ReadByAll(::testing::TempDir(), /*direct=*/false));
}

TEST(MakeReaderTest, VolumesWithoutDirectReadsAreReadLikeOthers) {
  EXPECT_EXIT(ReadWithoutDirectReads(), ::testing::ExitedWithCode(0), "same bytes");
}

constexpr int kNoOverlay = 77;

// An overlay of two folders of the disk, in a mount namespace of the child.
[[noreturn]] void ReadOnOverlay(const std::string& folder) {
  for (const char* name : {"", "/lower", "/upper", "/scratch", "/merged"}) {
    mkdir((folder + name).c_str(), 0755);
  }
  const std::string options =
      fmt::format("lowerdir={0}/lower,upperdir={0}/upper,workdir={0}/scratch", folder);
  if (unshare(CLONE_NEWNS) != 0 || mount("", "/", "", MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("overlay", (folder + "/merged").c_str(), "overlay", 0, options.c_str()) != 0) {
    std::_Exit(kNoOverlay);
  }
  Say(ReadByAll(folder + "/merged", /*direct=*/true));
}

TEST(MakeReaderTest, OverlaysAreReadLikeOtherVolumes) {
  const std::string folder = TestPath("overlay");
  bool mounted = true;
  const auto ended_well = [&](int status) {
    mounted = WEXITSTATUS(status) != kNoOverlay;
    return WIFEXITED(status) && (!mounted || WEXITSTATUS(status) == 0);
  };
  EXPECT_EXIT(ReadOnOverlay(folder), ended_well, "same bytes|^$");
  std::filesystem::remove_all(folder);
  if (!mounted) GTEST_SKIP() << "no overlay can be mounted here";
}

TEST(MakeReaderTest, Names) {
  EXPECT_EQ(*ReaderKindFromName("auto"), ReaderKind::kAuto);
  EXPECT_EQ(*ReaderKindFromName("uring"), ReaderKind::kUring);
  EXPECT_EQ(*ReaderKindFromName("pread"), ReaderKind::kPread);
  EXPECT_EQ(*ReaderKindFromName("mmap"), ReaderKind::kMmap);
  auto unknown = ReaderKindFromName("libaio");
  ASSERT_FALSE(unknown.has_value());
  EXPECT_THAT(unknown.error().ToString(), HasSubstr("\"libaio\""));
  EXPECT_THAT(unknown.error().ToString(), HasSubstr("auto, uring, pread or mmap"));
}

TEST(MakeReaderTest, DepthMustBePositive) {
  EXPECT_FALSE(MakeReader({.queue_depth = 0}).has_value());
  EXPECT_FALSE(MakeReader({.queue_depth = -1}).has_value());
  EXPECT_TRUE(MakeReader({.queue_depth = 1'000'000}).has_value());
  EXPECT_TRUE(MakeReader({.kind = ReaderKind::kPread, .queue_depth = 1}).has_value());
}

}  // namespace
}  // namespace flashmoe
