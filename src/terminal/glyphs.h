// Text as a terminal sees it: grapheme clusters, each one or two columns wide (or none).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace flashmoe::terminal {

struct Glyph {
  size_t bytes = 0;
  int columns = 0;    // 0, 1 or 2
  char32_t code = 0;  // of its first code point
};

// The first cluster; a byte that is not UTF-8 counts as one of its own. REQUIRES: !text.empty().
Glyph NextGlyph(std::string_view text);

// Where the cluster before `end` begins. REQUIRES: 0 < end <= text.size(), on a boundary.
size_t PreviousGlyph(std::string_view text, size_t end);

int Columns(std::string_view text);

// As much of the text as fits; what was cut off is shown as "…".
std::string FitColumns(std::string_view text, int columns);

// Punctuation or a symbol, ASCII's included; the full-width marks of CJK texts are not, as they
// stand close to words.
bool IsPunctuation(char32_t code);
bool IsSpace(char32_t code);

}  // namespace flashmoe::terminal
