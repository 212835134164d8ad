// A model's answer on a terminal: markdown that comes in pieces, shown as it grows.
#pragma once

#include <string>
#include <string_view>

#include "terminal/block_parser.h"
#include "terminal/live_area.h"
#include "terminal/safe_text.h"

namespace flashmoe::terminal {

// The final screen depends on the text alone and not on how it was cut into pieces; where a piece
// ends in the middle of a construct, its likely look is shown and corrected later. Control
// characters and escape sequences in the text do nothing (terminal/safe_text.h).
class MarkdownWriter {
 public:
  // `sink` gets bytes for a terminal whose cursor is at the beginning of an empty line.
  MarkdownWriter(Sink sink, ScreenSize size);

  void Push(std::string_view text);
  // Ends the text and leaves the cursor at the beginning of a line.
  void Finish();
  void SetSize(ScreenSize size);

 private:
  void AddText(std::string_view text);
  void Show();

  SafeText safe_;
  BlockParser blocks_;
  LiveArea area_;
  std::string line_;        // the beginning of a line
  bool extending_ = false;  // its beginning is a part of the paragraph in `blocks_` already
};

}  // namespace flashmoe::terminal
