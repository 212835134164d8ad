// Text that is shown in a few rows while it comes and gives way to one line when it is over.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "terminal/live_area.h"
#include "terminal/safe_text.h"

namespace flashmoe::terminal {

// For what a model thinks: its last rows, dim. The text is untrusted.
class FoldingText {
 public:
  FoldingText(Sink sink, ScreenSize size) : area_(std::move(sink), size) {}

  void Push(std::string_view text);
  // Replaces the rows by this line, which fits the screen or is cut; empty: by nothing.
  void Fold(std::string_view line);
  void SetSize(ScreenSize size) { area_.SetSize(size); }

 private:
  size_t RowsMax() const;
  void EndLine();
  void Show();

  SafeText safe_;
  LiveArea area_;
  std::deque<Row> rows_;  // of lines that are complete
  std::string line_;
};

}  // namespace flashmoe::terminal
