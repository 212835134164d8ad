// A terminal for tests: understands what this module writes, and nothing else.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "terminal/glyphs.h"
#include "terminal/live_area.h"

namespace flashmoe::terminal {

class TestScreen {
 public:
  explicit TestScreen(ScreenSize size) : size_(size), lines_(1) {}

  Sink MakeSink() {
    return [this](std::string_view bytes) { Write(bytes); };
  }

  void Write(std::string_view bytes) {
    while (!bytes.empty()) {
      const Glyph glyph = NextGlyph(bytes);
      if (bytes.starts_with("\x1b[")) {
        bytes.remove_prefix(Escape(bytes));
        continue;
      }
      if (glyph.code == '\n') {
        MoveTo(row_ + 1);
      } else if (glyph.code == '\r') {
        column_ = 0;
      } else {
        EXPECT_GE(glyph.code, U' ') << "a control character";
        Put(bytes.substr(0, glyph.bytes), glyph.columns);
      }
      bytes.remove_prefix(glyph.bytes);
    }
  }

  // All lines ever, what scrolled away included, with the styles as {1;36}...{}.
  std::string Styled() const { return Text(true); }
  std::string Plain() const { return Text(false); }
  size_t row() const { return row_; }
  int column() const { return column_; }

 private:
  struct Cell {
    std::string text = " ";
    std::string style;
  };

  std::string Text(bool styles) const {
    std::string out;
    for (const auto& line : lines_) {
      std::string style, text;
      for (const Cell& cell : line) {
        if (styles && cell.style != style) text += "{" + cell.style + "}";
        style = cell.style;
        text += cell.text;
      }
      if (styles && !style.empty()) text += "{}";
      text.erase(text.find_last_not_of(' ') + 1);
      out += text + "\n";
    }
    while (out.ends_with("\n\n")) out.pop_back();
    return out;
  }

  void MoveTo(size_t row) {
    row_ = row;
    while (lines_.size() <= row_) lines_.emplace_back();
    const size_t rows = static_cast<size_t>(size_.rows);
    top_ = std::max(top_, row_ + 1 > rows ? row_ + 1 - rows : 0);
  }

  void Put(std::string_view text, int columns) {
    if (column_ + columns > size_.columns) {
      column_ = 0;
      MoveTo(row_ + 1);
    }
    auto& line = lines_[row_];
    if (columns == 0) {
      if (!line.empty()) line.back().text += text;
      return;
    }
    line.resize(std::max(line.size(), static_cast<size_t>(column_ + columns)));
    line[column_] = {std::string(text), style_};
    for (int i = 1; i < columns; ++i) line[column_ + i] = {"", style_};
    column_ += columns;
  }

  size_t Escape(std::string_view bytes) {
    size_t end = 2;
    if (bytes.substr(end).starts_with("?2004")) return 8;  // pastes are marked, or no longer
    while (end < bytes.size() && (std::isdigit(bytes[end]) != 0 || bytes[end] == ';')) ++end;
    const std::string argument(bytes.substr(2, end - 2));
    const int count = argument.empty() ? 1 : std::atoi(argument.c_str());
    switch (bytes[end]) {
      case 'A':
        row_ = std::max(top_, row_ - std::min(row_, static_cast<size_t>(count)));
        break;
      case 'B':
        row_ = std::min(row_ + count, lines_.size() - 1);
        break;
      case 'C':
        column_ += count;
        break;
      case 'H':
        row_ = top_;
        column_ = 0;
        break;
      case 'J':
        lines_.resize(row_ + 1);
        [[fallthrough]];
      case 'K':
        lines_[row_].resize(std::min(lines_[row_].size(), static_cast<size_t>(column_)));
        break;
      case 'm':
        style_ = argument == "0" ? "" : argument;
        break;
      default:
        ADD_FAILURE() << "escape sequence not understood: " << bytes.substr(1, end);
    }
    return end + 1;
  }

  ScreenSize size_;
  std::vector<std::vector<Cell>> lines_;
  size_t row_ = 0, top_ = 0;
  int column_ = 0;
  std::string style_;
};

}  // namespace flashmoe::terminal
