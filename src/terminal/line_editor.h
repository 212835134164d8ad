// Reads what a person writes at a terminal.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "terminal/edit_session.h"
#include "terminal/history.h"
#include "terminal/live_area.h"

namespace flashmoe::terminal {

struct EditorInput {
  enum class End {
    kEntered,
    kInterrupted,  // Ctrl-C: what was written is dropped
    kEnded,        // Ctrl-D, the terminal went away, or `stop` said so
  };
  End end = End::kEnded;
  std::string text = {};
};

// Arrow keys, words, several lines (Alt-Enter, or a backslash at the end), pastes taken as they
// are, history, and the keys of Emacs that shells know. Uses standard input, which must be a
// terminal, and `sink` for its screen.
class LineEditor {
 public:
  // `words` complete what begins like them with Tab.
  LineEditor(Sink sink, History& history, std::vector<std::string> words)
      : sink_(std::move(sink)), history_(history), words_(std::move(words)) {}

  // The cursor stands at the beginning of an empty line, before and after. `stop` is asked whenever
  // Wake() was called (terminal/terminal_mode.h).
  EditorInput Read(std::string_view prompt, const std::function<bool()>& stop = {});

 private:
  void Paint(const EditSession& session, std::string_view prompt);
  void LeaveCursor();
  std::vector<Key> NextKeys(const std::function<bool()>& stop, bool& ended);
  std::string ReadBytes(int timeout_ms, bool& woken);

  Sink sink_;
  History& history_;
  const std::vector<std::string> words_;
  KeyDecoder decoder_;
  std::vector<Key> ahead_;  // typed before they could be used
  LiveArea area_{sink_, {}};
  EditView view_;  // that is on the screen
};

}  // namespace flashmoe::terminal
