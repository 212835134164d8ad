// One input from its first key to its last: what keys do, and how it looks. No terminal is needed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "terminal/edit_buffer.h"
#include "terminal/history.h"
#include "terminal/key_decoder.h"
#include "terminal/live_area.h"

namespace flashmoe::terminal {

struct EditView {
  std::vector<Row> rows;  // at most as many as the screen has
  size_t cursor_row = 0;
  int cursor_column = 0;
};

class EditSession {
 public:
  enum class Step {
    kGoOn,
    kEnter,
    kInterrupt,   // Ctrl-C
    kEnd,         // Ctrl-D with nothing written
    kSuspend,     // Ctrl-Z
    kClearScreen  // Ctrl-L
  };

  // `words` complete what begins like them at the start of the input. Both outlive this.
  EditSession(const History& history, const std::vector<std::string>& words)
      : history_(history), words_(words), entry_(history.entries().size()) {}

  Step Press(const Key& key);
  const std::string& text() const { return buffer_.text(); }

  // `prompt` stands before the first line; as much room before the others.
  EditView Look(std::string_view prompt, ScreenSize size) const;

 private:
  Step PressControl(char letter);
  Step Enter();
  void Recall(size_t entry);
  void Complete();

  const History& history_;
  const std::vector<std::string>& words_;
  EditBuffer buffer_;
  size_t entry_;       // of the history that is shown; its size: none
  std::string draft_;  // what was written before going through the history
};

}  // namespace flashmoe::terminal
