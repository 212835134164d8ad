// What a line of markdown begins, looked at alone: markers of lists, headings, fences, rules.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace flashmoe::terminal {

// Lines here have no line feed, and spaces for tabs.
size_t IndentOf(std::string_view line);
bool IsBlank(std::string_view line);

struct ListMarker {
  size_t bytes = 0;    // up to where the item's text begins
  std::string number;  // "12." or "12)", empty for a bullet
  bool empty = false;  // no text follows
};
// The line begins with its marker: it is not indented.
std::optional<ListMarker> ParseListMarker(std::string_view line);

struct Heading {
  int level = 1;  // to 6
  std::string_view text;
};
std::optional<Heading> ParseHeading(std::string_view line);

struct Fence {
  char mark = '`';
  size_t length = 3;
  std::string_view language;
};
std::optional<Fence> ParseFence(std::string_view line);
bool ClosesFence(std::string_view line, char mark, size_t length);

// "---", "* * *" and the like.
bool IsRule(std::string_view line);
// "===": 1, "---": 2, for the heading above it; otherwise 0.
int UnderlineLevel(std::string_view line);

// Whether a line that begins like this may turn out to be one of the above, or a row of a table.
bool IsUndecided(std::string_view line);

}  // namespace flashmoe::terminal
