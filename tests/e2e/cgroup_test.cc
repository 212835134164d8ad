// The budget as the kernel counts it: in a memory control group of its own.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "tests/e2e/models.h"
#include "tests/e2e/process.h"
#include "tests/e2e/serving.h"

namespace flashmoe::e2e {
namespace {

using nlohmann::json;

// A new group with a memory limit below the v1 or v2 hierarchy, if this machine lets us.
class MemoryGroup {
 public:
  explicit MemoryGroup(uint64_t limit_bytes) : limit_bytes_(limit_bytes) {
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
  // What can still be taken without anybody giving something up: the page cache counts as free.
  uint64_t Room() const {
    const uint64_t used = Number("memory.usage_in_bytes", "memory.current");
    const uint64_t cache = Field("memory.stat", "inactive_file").value_or(0) +
                           Field("memory.stat", "active_file").value_or(0);
    const uint64_t kept = used - std::min(used, cache);
    return limit_bytes_ - std::min(limit_bytes_, kept);
  }
  // Times that the group met its limit and could not make room.
  std::optional<uint64_t> Kills() const {
    for (const char* name : {"memory.oom_control", "memory.events"}) {
      if (const auto kills = Field(name, "oom_kill")) return kills;
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
  // The value of a "key value" line.
  std::optional<uint64_t> Field(const char* name, std::string_view wanted) const {
    std::ifstream file(path_ + "/" + name);
    std::string key;
    for (uint64_t value = 0; file >> key >> value;) {
      if (key == wanted) return value;
    }
    return std::nullopt;
  }
  // Of whichever of the two files is there; the limit if none can be read.
  uint64_t Number(const char* v1, const char* v2) const {
    uint64_t value = 0;
    for (const char* name : {v1, v2}) {
      if (std::ifstream(path_ + "/" + name) >> value) return value;
    }
    return limit_bytes_;
  }

  const uint64_t limit_bytes_;
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

// A process in the group that holds some bytes and looks at them again and again.
class MemoryHog {
 public:
  MemoryHog(const std::string& tasks, uint64_t bytes) : MemoryHog(tasks) {
    EXPECT_TRUE(Take(bytes)) << "the hog did not get its memory";
  }
  // Holds nothing yet.
  explicit MemoryHog(const std::string& tasks) {
    const int group = open(tasks.c_str(), O_WRONLY | O_CLOEXEC);
    EXPECT_GE(group, 0);
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets_), 0);
    pid_ = fork();
    if (pid_ == 0) {
      close(sockets_[0]);  // so that it ends with the test
      Serve(group, sockets_[1]);
    }
    close(sockets_[1]);
    close(group);
  }
  // Takes so many more; false if it is no longer there, or does not get them soon.
  bool Take(uint64_t bytes) const {
    constexpr int kPatienceMs = 20'000;
    pollfd answered = {.fd = sockets_[0], .events = POLLIN, .revents = 0};
    return send(sockets_[0], &bytes, sizeof(bytes), MSG_NOSIGNAL) == sizeof(bytes) &&
           poll(&answered, 1, kPatienceMs) == 1 &&
           read(sockets_[0], &bytes, sizeof(bytes)) == sizeof(bytes);
  }
  ~MemoryHog() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    close(sockets_[0]);
  }
  MemoryHog(const MemoryHog&) = delete;
  MemoryHog& operator=(const MemoryHog&) = delete;

 private:
  [[noreturn]] static void Serve(int group, int socket) {
    if (write(group, "0", 1) != 1) _exit(1);
    std::vector<std::span<volatile char>> held;
    pollfd asked = {.fd = socket, .events = POLLIN, .revents = 0};
    while (true) {
      uint64_t bytes = 0;
      if (poll(&asked, 1, 20) == 1) {
        if (read(socket, &bytes, sizeof(bytes)) != sizeof(bytes)) _exit(1);
        void* memory =
            mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) _exit(1);
        held.emplace_back(static_cast<volatile char*>(memory), bytes);
      }
      for (const std::span<volatile char> part : held) {
        for (uint64_t at = 0; at < part.size(); at += 4096) part[at] = 1;
      }
      if (bytes > 0 && write(socket, &bytes, sizeof(bytes)) != sizeof(bytes)) _exit(1);
    }
  }

  pid_t pid_ = -1;
  int sockets_[2] = {-1, -1};
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

// The hog takes what is free and never more, so it gets all it wants only if the server gives
// memory back.
TEST_F(CgroupTest, AServerMakesRoomForWhatComesAfterIt) {
  constexpr uint64_t kLimit = uint64_t{40} << 20, kLeft = uint64_t{1} << 20, kStep = kLeft / 4;
  const MemoryGroup group(kLimit);
  if (!group.works()) GTEST_SKIP() << "no memory control group can be made here";
  Serving server({"--ctx", "1024"}, group.tasks());
  const auto ask = [&] {
    const json answer = server.Post("/v1/chat/completions", Chat(std::string(kQuestion), 200));
    return answer["choices"][0]["message"]["content"].get<std::string>();
  };
  const std::string before = ask();
  const double slots = server.Metric("flashmoe_expert_slots");

  const MemoryHog hog(group.tasks());
  const uint64_t wanted = group.Room() + kLeft;
  uint64_t taken = 0;
  for (const double deadline = NowSeconds() + 30; taken < wanted && NowSeconds() < deadline;) {
    if (group.Room() >= kLeft + kStep) {
      ASSERT_TRUE(hog.Take(kStep));
      taken += kStep;
    } else {
      usleep(20'000);
    }
  }
  EXPECT_GE(taken, wanted);
  EXPECT_LT(server.Metric("flashmoe_expert_slots"), slots);
  EXPECT_EQ(ask(), before);
  EXPECT_EQ(server.Stop().exit_code, 0);
  EXPECT_EQ(group.Kills().value_or(0), 0u);
}

}  // namespace
}  // namespace flashmoe::e2e
