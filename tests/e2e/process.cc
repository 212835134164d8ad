#include "tests/e2e/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

#include "base/clock.h"
#include "base/memory.h"

namespace flashmoe::e2e {
namespace {

struct Pair {
  int ours = -1;
  int childs = -1;
};

Pair PipeFromChild() {
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  return {ends[0], ends[1]};
}

Pair PipeToChild() {
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  return {ends[1], ends[0]};
}

int OpenTerminal() { return posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC); }

Pair Terminal() {
  const int ours = OpenTerminal();
  EXPECT_GE(ours, 0);
  EXPECT_EQ(grantpt(ours), 0);
  EXPECT_EQ(unlockpt(ours), 0);
  char name[128];
  EXPECT_EQ(ptsname_r(ours, name, sizeof name), 0);
  const winsize size = {.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
  EXPECT_EQ(ioctl(ours, TIOCSWINSZ, &size), 0);
  return {ours, open(name, O_RDWR | O_NOCTTY | O_CLOEXEC)};
}

Pair FileForChild(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  EXPECT_GE(fd, 0) << path;
  return {-1, fd};
}

void Close(int& fd) {
  if (fd >= 0) close(fd);
  fd = -1;
}

bool ForbidIoUring() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter = {4, program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// Between fork and exec: only calls that are safe there.
[[noreturn]] void BecomeChild(char* const* arguments, const ProcessOptions& options, int in,
                              int out, int err, int cgroup) {
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  if (options.terminal && (setsid() < 0 || ioctl(STDIN_FILENO, TIOCSCTTY, 0) != 0)) _exit(126);
  if (cgroup >= 0 && write(cgroup, "0", 1) != 1) _exit(126);
  const rlimit locked = {65'536, 65'536};
  if (options.low_lock_limit && setrlimit(RLIMIT_MEMLOCK, &locked) != 0) _exit(126);
  if (!options.io_uring && !ForbidIoUring()) _exit(126);
  signal(SIGPIPE, SIG_DFL);
  execv(arguments[0], arguments);
  _exit(127);
}

}  // namespace

bool HasTerminals() {
  int terminal = OpenTerminal();
  const bool opened = terminal >= 0;
  if (opened) Close(terminal);
  return opened;
}

Process::Process(const std::vector<std::string>& arguments, const ProcessOptions& options)
    : began_(NowSeconds()),
      seconds_max_(options.seconds_max),
      input_(options.input),
      terminal_(options.terminal) {
  signal(SIGPIPE, SIG_IGN);  // a child need not read its input
  Pair in, out, err;
  if (options.terminal) {
    out = Terminal();
    in = {fcntl(out.ours, F_DUPFD_CLOEXEC, 0), fcntl(out.childs, F_DUPFD_CLOEXEC, 0)};
    err.childs = fcntl(out.childs, F_DUPFD_CLOEXEC, 0);
  } else {
    in = PipeToChild();
    out = options.out_path.empty() ? PipeFromChild() : FileForChild(options.out_path);
    err = options.err_terminal ? Terminal() : PipeFromChild();
  }
  int cgroup = -1;
  if (!options.cgroup_tasks.empty()) cgroup = open(options.cgroup_tasks.c_str(), O_WRONLY);
  std::vector<char*> raw;
  for (const std::string& argument : arguments) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  own_rss_bytes_ = ResidentBytes();
  pid_ = fork();
  if (pid_ == 0) BecomeChild(raw.data(), options, in.childs, out.childs, err.childs, cgroup);
  EXPECT_GT(pid_, 0);
  Close(in.childs);
  Close(out.childs);
  Close(err.childs);
  Close(cgroup);
  in_ = in.ours;
  out_ = {out.ours, &result_.out};
  err_ = {err.ours, &result_.err};
  fcntl(in_, F_SETFL, O_NONBLOCK);
}

Process::~Process() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Close(in_);
  Close(out_.fd);
  Close(err_.fd);
}

void Process::Signal(int number) const {
  if (pid_ > 0) kill(pid_, number);
}

void Process::CloseOutput() { Close(out_.fd); }

double Process::SecondsLeft() const { return began_ + seconds_max_ - NowSeconds(); }

void Process::Feed() {
  const ssize_t n = write(in_, input_.data() + fed_, input_.size() - fed_);
  if (n < 0 && errno != EAGAIN && errno != EINTR) return Close(in_);  // it does not read
  if (n > 0) fed_ += static_cast<size_t>(n);
}

void Process::Read(Stream& stream) {
  char buffer[1 << 16];
  const ssize_t n = read(stream.fd, buffer, sizeof buffer);
  if (n < 0 && errno == EINTR) return;
  if (n <= 0) return Close(stream.fd);  // a terminal whose last user is gone reports EIO
  stream.text->append(buffer, static_cast<size_t>(n));
}

bool Process::Pump() {
  const bool fed = fed_ == input_.size();
  if (fed && !terminal_) Close(in_);
  if (out_.fd < 0 && err_.fd < 0) return false;
  pollfd polled[] = {{fed ? -1 : in_, POLLOUT, 0}, {out_.fd, POLLIN, 0}, {err_.fd, POLLIN, 0}};
  if (poll(polled, 3, 50) <= 0) return true;
  if (polled[0].revents != 0) Feed();
  if (polled[1].revents != 0) Read(out_);
  if (polled[2].revents != 0) Read(err_);
  return true;
}

bool Process::AwaitOutput(size_t bytes) {
  while (result_.out.size() < bytes) {
    if (SecondsLeft() <= 0 || out_.fd < 0 || !Pump()) return false;
  }
  return true;
}

void Process::Type(std::string_view keys) { input_ += keys; }

bool Process::AwaitText(std::string_view text) {
  size_t at = result_.out.find(text, seen_);
  while (at == std::string::npos) {
    if (SecondsLeft() <= 0 || out_.fd < 0 || !Pump()) return false;
    at = result_.out.find(text, seen_);
  }
  seen_ = at + text.size();
  return true;
}

ProcessResult Process::Finish() {
  while (Pump()) {
    if (SecondsLeft() > 0 || result_.timed_out) continue;
    result_.timed_out = true;
    Signal(SIGKILL);
  }
  int status = 0;
  struct rusage usage = {};
  while (wait4(pid_, &status, WNOHANG, &usage) == 0) {
    if (SecondsLeft() <= 0 && !result_.timed_out) {
      result_.timed_out = true;
      Signal(SIGKILL);
    }
    usleep(2000);
  }
  pid_ = -1;
  result_.seconds = NowSeconds() - began_;
  const uint64_t rss_max = static_cast<uint64_t>(usage.ru_maxrss) * 1024;
  if (rss_max > own_rss_bytes_ + (1 << 20)) result_.rss_max_bytes = rss_max;
  if (WIFEXITED(status)) result_.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result_.signal = WTERMSIG(status);
  return std::move(result_);
}

std::vector<std::string> Flashmoe(const std::vector<std::string>& arguments) {
  std::vector<std::string> all = {FLASHMOE_BINARY};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return all;
}

ProcessResult RunFlashmoe(const std::vector<std::string>& arguments,
                          const ProcessOptions& options) {
  return Process(Flashmoe(arguments), options).Finish();
}

}  // namespace flashmoe::e2e
