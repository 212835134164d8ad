// A program that is run for its output, within limits.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"

namespace flashmoe::cli {

struct ChildLimits {
  double seconds_max = 60;
  size_t output_bytes_max = 16 << 10;  // of more, the beginning and the end are kept
  std::function<bool()> stop;          // asked many times a second; true ends the program
};

struct ChildResult {
  std::string output;  // standard output and standard error, as they came
  int exit_code = -1;  // -1: it was ended by a signal
  bool timed_out = false;
  bool stopped = false;
};

// Runs it in the current folder, in a session of its own (no terminal), with `input` as its
// standard input. Whatever it started is killed when it ends.
Result<ChildResult> RunChild(const std::vector<std::string>& arguments, const std::string& input,
                             const ChildLimits& limits);

}  // namespace flashmoe::cli
