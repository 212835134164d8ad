// What a model says is untrusted: nothing of it may steer a terminal.
#pragma once

#include <string>
#include <string_view>

namespace flashmoe::terminal {

// Passes text on piece by piece as valid UTF-8 in which the only control characters are line feed
// and tab. Others become their pictures (ESC: U+241B); C1 controls, marks that reorder text and
// bytes that are no UTF-8 become U+FFFD; carriage returns vanish. Where pieces begin and end does
// not matter.
class SafeText {
 public:
  std::string Push(std::string_view piece);
  std::string Finish();

 private:
  std::string held_;  // the beginning of a character
};

// The same for a whole text.
std::string Harmless(std::string_view text);
// And on one line: line feeds and tabs become spaces.
std::string HarmlessLine(std::string_view text);

}  // namespace flashmoe::terminal
