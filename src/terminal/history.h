// What was entered before, across runs of the program.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "base/status.h"

namespace flashmoe::terminal {

class History {
 public:
  static constexpr size_t kEntriesMax = 1000;
  static constexpr size_t kEntryBytesMax = 64 << 10;  // longer ones are not kept

  // Reads the entries of a file; there need not be one. Several programs may use it at once. An
  // empty path: nothing is kept.
  explicit History(std::string path = {});

  // Entries equal to the one before and blank ones are not added. Appends to the file, which only
  // the user may read, one line for each entry; a line feed in it is written as "\n", a backslash
  // as "\\".
  Status Add(std::string_view entry);

  const std::deque<std::string>& entries() const { return entries_; }

 private:
  void Keep(std::string entry);
  Status Rewrite();

  std::string path_;
  std::deque<std::string> entries_;
  size_t lines_ = 0;  // of the file
};

}  // namespace flashmoe::terminal
