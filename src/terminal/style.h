// Pieces of text that look alike, and rows of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flashmoe::terminal {

// What a piece of text looks like; flags that combine.
using Style = uint16_t;
inline constexpr Style kPlain = 0;
inline constexpr Style kBold = 1;
inline constexpr Style kItalic = 2;
inline constexpr Style kStrike = 4;
inline constexpr Style kUnderline = 8;
inline constexpr Style kDim = 16;
inline constexpr Style kCode = 32;
inline constexpr Style kHeading = 64;
inline constexpr Style kLink = 128;
inline constexpr Style kWarning = 256;

struct Span {
  std::string text;
  Style style = kPlain;
  bool operator==(const Span&) const = default;
};
using Spans = std::vector<Span>;

// Joins the text to the last span if that looks the same.
void Append(Spans& spans, std::string_view text, Style style);
void Append(Spans& spans, const Spans& more);
int Columns(const Spans& spans);

// One row of the screen, without its line feed.
struct Row {
  Spans spans;
  int columns = 0;
  bool operator==(const Row&) const = default;
};
Row MakeRow(Spans spans);

// The bytes that show it; a style is set where it begins and reset where it ends.
std::string ToAnsi(const Spans& spans);
std::string Styled(std::string_view text, Style style);

}  // namespace flashmoe::terminal
