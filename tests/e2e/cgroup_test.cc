// The budget as the kernel counts it: in a memory control group of its own.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <optional>

#include "base/clock.h"
#include "tests/e2e/models.h"
#include "tests/e2e/process.h"

namespace flashmoe::e2e {
namespace {

using nlohmann::json;

// A new group with a memory limit below the v1 or v2 hierarchy, if this machine lets us.
class MemoryGroup {
 public:
  explicit MemoryGroup(uint64_t limit_bytes) {
    for (const char* root : {"/sys/fs/cgroup/memory", "/sys/fs/cgroup"}) {
      path_ = std::string(root) + "/flashmoe-test-" + std::to_string(getpid());
      if (mkdir(path_.c_str(), 0755) != 0) continue;
      for (const char* name : {"memory.limit_in_bytes", "memory.max"}) {
        if (!Write(name, std::to_string(limit_bytes))) continue;
        Write("memory.swap.max", "0");
        works_ = true;
        return;
      }
      rmdir(path_.c_str());
    }
  }
  ~MemoryGroup() {
    if (!works_) return;
    const double deadline = NowSeconds() + 5;  // the group of a process that just ended is busy
    while (rmdir(path_.c_str()) != 0 && NowSeconds() < deadline) usleep(10'000);
  }
  MemoryGroup(const MemoryGroup&) = delete;
  MemoryGroup& operator=(const MemoryGroup&) = delete;

  bool works() const { return works_; }
  std::string tasks() const { return path_ + "/cgroup.procs"; }
  // Times that the group met its limit and could not make room.
  std::optional<uint64_t> Kills() const {
    for (const char* name : {"memory.oom_control", "memory.events"}) {
      std::ifstream file(path_ + "/" + name);
      std::string key;
      for (uint64_t value = 0; file >> key >> value;) {
        if (key == "oom_kill") return value;
      }
    }
    return std::nullopt;
  }

 private:
  bool Write(const char* name, const std::string& value) const {
    if (access((path_ + "/" + name).c_str(), W_OK) != 0) return false;
    std::ofstream file(path_ + "/" + name);
    file << value << std::flush;
    return file.good();
  }

  std::string path_;
  bool works_ = false;
};

class CgroupTest : public testing::Test {
 protected:
  void SetUp() override {
    if (kSanitized) GTEST_SKIP() << "the sanitizers' memory is not the program's";
  }
};

std::vector<std::string> Answer(std::vector<std::string> more) {
  more.insert(more.begin(), {"run", "-p", std::string(kQuestion), "--temp", "0", "-n", "24",
                             "--ctx", "1024", "--json"});
  return more;
}

TEST_F(CgroupTest, ABudgetIsEnoughToLiveOn) {
  constexpr uint64_t kBudget = 36'000'000;
  constexpr uint64_t kSlack = 2'000'000;  // page tables and kernel memory are charged too
  const MemoryGroup group(kBudget + kSlack);
  if (!group.works()) GTEST_SKIP() << "no memory control group can be made here";
  const ProcessResult r =
      RunFlashmoe(Answer({"--memory", "36MB"}), {.cgroup_tasks = group.tasks()});
  const json j = ExpectJson(r);
  EXPECT_LE(j["memory"]["peak_bytes"], kBudget);
  EXPECT_EQ(group.Kills().value_or(0), 0u);
  EXPECT_EQ(j["tokens"], ExpectJson(RunFlashmoe(Answer({})))["tokens"]);
}

TEST_F(CgroupTest, WithoutABudgetThePlanFitsTheGroup) {
  constexpr uint64_t kLimit = uint64_t{64} << 20;
  const MemoryGroup group(kLimit);
  if (!group.works()) GTEST_SKIP() << "no memory control group can be made here";
  const ProcessResult r =
      RunFlashmoe(Answer({"--model", Ember()}), {.cgroup_tasks = group.tasks()});
  const json j = ExpectJson(r);
  EXPECT_EQ(j["plan"]["budget_given"], false);
  EXPECT_LT(j["memory"]["budget_bytes"], kLimit);
  EXPECT_GT(j["memory"]["budget_bytes"], kLimit / 2);
  EXPECT_LE(j["memory"]["peak_bytes"], j["memory"]["budget_bytes"]);
  EXPECT_EQ(group.Kills().value_or(0), 0u);
}

TEST_F(CgroupTest, AGroupThatIsTooSmallIsRefusedNotOverrun) {
  const MemoryGroup group(uint64_t{16} << 20);
  if (!group.works()) GTEST_SKIP() << "no memory control group can be made here";
  const ProcessResult r = RunFlashmoe(Answer({}), {.cgroup_tasks = group.tasks()});
  EXPECT_THAT(ExpectRefusal(r), testing::HasSubstr("can be spared"));
  EXPECT_EQ(group.Kills().value_or(0), 0u);
}

// The page cache of the model counts against the group: the kernel gives it up before it kills.
TEST_F(CgroupTest, ThePageCacheMayBeLargerThanTheGroup) {
  constexpr uint64_t kBudget = 36'000'000;
  const json want = ExpectJson(RunFlashmoe(Answer({})))["tokens"];
  for (const char* io : {"uring", "pread", "mmap"}) {
    const MemoryGroup group(kBudget + 2'000'000);
    if (!group.works()) GTEST_SKIP() << "no memory control group can be made here";
    const ProcessResult r = RunFlashmoe(Answer({"--memory", "36MB", "--cache", "page", "--io", io}),
                                        {.cgroup_tasks = group.tasks()});
    if (r.exit_code == 1 && r.err.find("io_uring") != std::string::npos) continue;
    const json j = ExpectJson(r);
    EXPECT_EQ(j["plan"]["cache"], "page");
    EXPECT_EQ(j["tokens"], want) << io;
    EXPECT_EQ(group.Kills().value_or(0), 0u) << io;
  }
}

TEST_F(CgroupTest, AGroupTooSmallForBothIsReadPastThePageCache) {
  const MemoryGroup group(uint64_t{56} << 20);  // all experts fit, but not the file beside them
  if (!group.works()) GTEST_SKIP() << "no memory control group can be made here";
  const json j =
      ExpectJson(RunFlashmoe(Answer({"--model", Ember()}), {.cgroup_tasks = group.tasks()}));
  EXPECT_EQ(j["plan"]["cache"], "direct");
  EXPECT_THAT(j["plan"]["cache_reason"].get<std::string>(), testing::HasSubstr("are more than"));
}

// A process in the group that holds `bytes` and looks at them again and again.
class MemoryHog {
 public:
  MemoryHog(const std::string& tasks, uint64_t bytes) {
    const int group = open(tasks.c_str(), O_WRONLY | O_CLOEXEC);
    EXPECT_GE(group, 0);
    int ready[2];
    EXPECT_EQ(pipe(ready), 0);
    pid_ = fork();
    if (pid_ == 0) Hold(group, ready[1], bytes);
    close(ready[1]);
    close(group);
    char byte = 0;
    EXPECT_EQ(read(ready[0], &byte, 1), 1) << "the hog did not get its memory";
    close(ready[0]);
  }
  ~MemoryHog() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  MemoryHog(const MemoryHog&) = delete;
  MemoryHog& operator=(const MemoryHog&) = delete;

 private:
  [[noreturn]] static void Hold(int group, int ready, uint64_t bytes) {
    if (write(group, "0", 1) != 1) _exit(1);
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) _exit(1);
    auto* pages = static_cast<volatile char*>(memory);
    for (bool first = true;; first = false) {
      for (uint64_t at = 0; at < bytes; at += 4096) pages[at] = 1;
      if (first && write(ready, "1", 1) != 1) _exit(1);
      usleep(20'000);
    }
  }

  pid_t pid_ = -1;
};

TEST_F(CgroupTest, OthersThatTakeAllMemoryChangeNothingButSpeed) {
  constexpr uint64_t kBudget = 36'000'000;
  constexpr uint64_t kHog = uint64_t{64} << 20;
  const json want = ExpectJson(RunFlashmoe(Answer({})))["tokens"];
  for (const char* cache : {"direct", "page"}) {
    const MemoryGroup group(kBudget + kHog + 3'000'000);
    if (!group.works()) GTEST_SKIP() << "no memory control group can be made here";
    const MemoryHog hog(group.tasks(), kHog);
    const ProcessResult r = RunFlashmoe(Answer({"--memory", "36MB", "--cache", cache}),
                                        {.cgroup_tasks = group.tasks()});
    EXPECT_FALSE(r.timed_out);
    EXPECT_EQ(ExpectJson(r)["tokens"], want) << cache;
    EXPECT_EQ(group.Kills().value_or(0), 0u) << cache;
  }
}

}  // namespace
}  // namespace flashmoe::e2e
