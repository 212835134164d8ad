#include "terminal/markdown_lines.h"

#include <algorithm>
#include <cctype>

namespace flashmoe::terminal {
namespace {

constexpr size_t kDigitsMax = 9;

size_t RunLength(std::string_view text, char c) {
  return std::min(text.find_first_not_of(c), text.size());
}

std::string_view TrimEnd(std::string_view text) {
  return text.substr(0, text.find_last_not_of(' ') + 1);
}

}  // namespace

size_t IndentOf(std::string_view line) { return RunLength(line, ' '); }

bool IsBlank(std::string_view line) { return IndentOf(line) == line.size(); }

std::optional<ListMarker> ParseListMarker(std::string_view line) {
  ListMarker marker;
  size_t end = 0;
  if (!line.empty() && (line[0] == '-' || line[0] == '*' || line[0] == '+')) {
    end = 1;
  } else {
    while (end < line.size() && std::isdigit(static_cast<unsigned char>(line[end])) != 0) ++end;
    if (end == 0 || end > kDigitsMax || end == line.size()) return std::nullopt;
    if (line[end] != '.' && line[end] != ')') return std::nullopt;
    marker.number = line.substr(0, ++end);
  }
  const std::string_view rest = line.substr(end);
  if (!rest.empty() && rest[0] != ' ') return std::nullopt;
  marker.empty = IsBlank(rest);
  const size_t spaces = IndentOf(rest);
  marker.bytes = end + (marker.empty || spaces > 4 ? std::min<size_t>(rest.size(), 1) : spaces);
  return marker;
}

std::optional<Heading> ParseHeading(std::string_view line) {
  const size_t level = RunLength(line, '#');
  if (level == 0 || level > 6) return std::nullopt;
  std::string_view text = line.substr(level);
  if (!text.empty() && text[0] != ' ') return std::nullopt;
  text.remove_prefix(IndentOf(text));
  text = TrimEnd(text);
  const size_t before_marks = text.find_last_not_of('#') + 1;  // "## Title ##"
  if (before_marks == 0 || text[before_marks - 1] == ' ')
    text = TrimEnd(text.substr(0, before_marks));
  return Heading{static_cast<int>(level), text};
}

std::optional<Fence> ParseFence(std::string_view line) {
  if (line.empty() || (line[0] != '`' && line[0] != '~')) return std::nullopt;
  Fence fence{line[0], RunLength(line, line[0]), {}};
  if (fence.length < 3) return std::nullopt;
  std::string_view info = line.substr(fence.length);
  if (fence.mark == '`' && info.find('`') != std::string_view::npos) return std::nullopt;
  info.remove_prefix(IndentOf(info));
  fence.language = info.substr(0, info.find_first_of(" \t"));
  return fence;
}

bool ClosesFence(std::string_view line, char mark, size_t length) {
  const size_t marks = RunLength(line, mark);
  return marks >= length && IsBlank(line.substr(marks));
}

bool IsRule(std::string_view line) {
  if (line.empty() || (line[0] != '-' && line[0] != '*' && line[0] != '_')) return false;
  size_t marks = 0;
  for (const char c : line) {
    if (c != ' ' && c != line[0]) return false;
    marks += c == line[0];
  }
  return marks >= 3;
}

int UnderlineLevel(std::string_view line) {
  if (line.empty() || (line[0] != '=' && line[0] != '-')) return 0;
  if (!IsBlank(line.substr(RunLength(line, line[0])))) return 0;
  return line[0] == '=' ? 1 : 2;
}

bool IsUndecided(std::string_view line) {
  line.remove_prefix(IndentOf(line));
  return line.starts_with('|') ||
         line.find_first_not_of("-*+_=#>~`:0123456789.) []") == std::string_view::npos;
}

}  // namespace flashmoe::terminal
