#include "apps/flashmoe/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/clock.h"

namespace flashmoe::cli {
namespace {

constexpr int kPollMs = 20;
constexpr double kLastWordsSeconds = 0.2;  // for what others still write when the program has ended

struct Pipe {
  int read = -1, write = -1;
  ~Pipe() {
    CloseRead();
    CloseWrite();
  }
  bool Open() { return pipe2(reinterpret_cast<int*>(this), O_CLOEXEC) == 0; }
  void CloseRead() {
    if (read >= 0) close(std::exchange(read, -1));
  }
  void CloseWrite() {
    if (write >= 0) close(std::exchange(write, -1));
  }
};
static_assert(sizeof(Pipe) == 2 * sizeof(int));

// Keeps the beginning and the end.
class BoundedOutput {
 public:
  explicit BoundedOutput(size_t bytes_max)
      : head_max_(bytes_max / 4 * 3), tail_max_(bytes_max / 4) {}

  void Add(std::string_view bytes) {
    const size_t room = std::min(head_max_ - head_.size(), bytes.size());
    head_ += bytes.substr(0, room);
    tail_ += bytes.substr(room);
    if (tail_.size() > 2 * tail_max_) Trim();
  }
  std::string Take() {
    if (tail_.size() > tail_max_) Trim();
    if (omitted_ == 0) return head_ + tail_;
    return fmt::format("{}\n[... {} bytes left out ...]\n{}", head_, omitted_, tail_);
  }

 private:
  void Trim() {
    omitted_ += tail_.size() - tail_max_;
    tail_.erase(0, tail_.size() - tail_max_);
  }
  const size_t head_max_, tail_max_;
  std::string head_, tail_;
  uint64_t omitted_ = 0;
};

Result<pid_t> Spawn(const std::vector<std::string>& arguments, int in, int out) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, out, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t usual;
  sigemptyset(&usual);
  sigaddset(&usual, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> raw;
  for (const std::string& argument : arguments) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, raw[0], &files, &attributes, raw.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error == 0) return pid;
  return Fail(ErrorCode::kNotFound, fmt::format("the program cannot be run: {}", strerror(error)),
              arguments[0]);
}

class Child {
 public:
  Child(pid_t pid, Pipe& in, Pipe& out, const std::string& input, const ChildLimits& limits)
      : pid_(pid),
        in_(in),
        out_(out),
        input_(input),
        limits_(limits),
        output_(limits.output_bytes_max) {
    fcntl(in_.write, F_SETFL, O_NONBLOCK);
    fcntl(out_.read, F_SETFL, O_NONBLOCK);
  }

  ChildResult Run() {
    const double began = NowSeconds();
    double ended = 0;
    while (ended == 0 ? true : out_.read >= 0 && NowSeconds() - ended < kLastWordsSeconds) {
      Pump();
      if (ended == 0 && HasEnded()) ended = NowSeconds();
      if (ended > 0 || killed_) continue;
      result_.timed_out = NowSeconds() - began > limits_.seconds_max;
      result_.stopped = !result_.timed_out && limits_.stop && limits_.stop();
      killed_ = result_.timed_out || result_.stopped;
      if (killed_) kill(-pid_, SIGKILL);
    }
    kill(-pid_, SIGKILL);  // what it left behind
    result_.output = output_.Take();
    return std::move(result_);
  }

 private:
  bool HasEnded() {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == 0) return false;
    if (WIFEXITED(status)) result_.exit_code = WEXITSTATUS(status);
    return true;
  }

  void Pump() {
    if (fed_ == input_.size()) in_.CloseWrite();
    pollfd polled[] = {{in_.write, POLLOUT, 0}, {out_.read, POLLIN, 0}};
    if (poll(polled, 2, kPollMs) <= 0) return;
    if (polled[0].revents != 0) {
      const ssize_t n = write(in_.write, input_.data() + fed_, input_.size() - fed_);
      if (n > 0) fed_ += static_cast<size_t>(n);
      if (n < 0 && errno != EAGAIN && errno != EINTR) in_.CloseWrite();  // it does not read
    }
    if (polled[1].revents != 0) {
      char buffer[1 << 16];
      const ssize_t n = read(out_.read, buffer, sizeof buffer);
      if (n > 0) output_.Add({buffer, static_cast<size_t>(n)});
      if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) out_.CloseRead();
    } else if (out_.read < 0) {
      usleep(kPollMs * 1000);
    }
  }

  const pid_t pid_;
  Pipe& in_;
  Pipe& out_;
  const std::string& input_;
  const ChildLimits& limits_;
  size_t fed_ = 0;
  bool killed_ = false;
  BoundedOutput output_;
  ChildResult result_;
};

}  // namespace

Result<ChildResult> RunChild(const std::vector<std::string>& arguments, const std::string& input,
                             const ChildLimits& limits) {
  Pipe in, out;
  if (!in.Open() || !out.Open()) {
    return Fail(ErrorCode::kIo, fmt::format("no pipe can be made: {}", strerror(errno)));
  }
  FM_ASSIGN_OR_RETURN(const pid_t pid, Spawn(arguments, in.read, out.write));
  in.CloseRead();
  out.CloseWrite();
  return Child(pid, in, out, input, limits).Run();
}

}  // namespace flashmoe::cli
