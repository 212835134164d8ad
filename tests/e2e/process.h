// A program run as a child: what it is fed, what it prints, how it ends. Nothing here waits longer
// than a deadline.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/sanitized.h"

namespace flashmoe::e2e {

struct ProcessOptions {
  std::string input = "";     // on standard input, which is then closed
  bool err_terminal = false;  // standard error is a terminal, not a pipe
  // Standard input, output and error are one terminal of 80 x 24, the child's controlling one.
  bool terminal = false;
  std::string out_path = "";  // standard output goes to this file and not to a pipe, if set
  double seconds_max = kSanitized ? 1200 : 120;  // then it is killed
  std::string cgroup_tasks = "";  // the child joins the control group of this file, if set
  bool io_uring = true;           // false: the system refuses it, as containers do
  bool low_lock_limit = false;    // the child may lock 64 KiB of memory
};

// Whether terminals are possible: some containers have no pseudo-terminals.
bool HasTerminals();

struct ProcessResult {
  int exit_code = -1;  // -1: ended by a signal
  int signal = 0;
  bool timed_out = false;
  double seconds = 0;
  // Most memory it held; 0 if that is unknown, because the test held more when it started the
  // program: the kernel counts a child from its fork on.
  uint64_t rss_max_bytes = 0;
  std::string out, err;
};

class Process {
 public:
  explicit Process(const std::vector<std::string>& arguments, const ProcessOptions& options = {});
  ~Process();  // kills it, if it still runs
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void Signal(int number) const;
  // Reads until standard output has this many bytes; false if it ended before or took too long.
  bool AwaitOutput(size_t bytes);
  // As if typed at the terminal.
  void Type(std::string_view keys);
  // Reads until standard output holds this text behind what the call before found; false as above.
  bool AwaitText(std::string_view text);
  // What it has printed so far.
  const std::string& output() const { return result_.out; }
  // From now on, whoever writes to standard output meets a closed pipe.
  void CloseOutput();
  // Reads what is left and waits for the end.
  ProcessResult Finish();

 private:
  struct Stream {
    int fd = -1;
    std::string* text = nullptr;
  };
  // Moves what can be moved without waiting longer than a moment. False: nothing is left to read.
  bool Pump();
  void Feed();
  static void Read(Stream& stream);
  double SecondsLeft() const;

  pid_t pid_ = -1;
  double began_ = 0;
  double seconds_max_ = 0;
  uint64_t own_rss_bytes_ = 0;
  std::string input_;
  size_t fed_ = 0;
  size_t seen_ = 0;  // of the output, by AwaitText
  const bool terminal_;
  int in_ = -1;
  Stream out_, err_;
  ProcessResult result_;
};

// The program under test with these arguments, run to its end.
ProcessResult RunFlashmoe(const std::vector<std::string>& arguments,
                          const ProcessOptions& options = {});
// FLASHMOE_BINARY and these arguments.
std::vector<std::string> Flashmoe(const std::vector<std::string>& arguments);

}  // namespace flashmoe::e2e
