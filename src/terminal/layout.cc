#include "terminal/layout.h"

#include <algorithm>

#include "terminal/glyphs.h"

namespace flashmoe::terminal {
namespace {

constexpr int kLeastWidth = 4;
constexpr int kTabStop = 4;

class Wrapper {
 public:
  Wrapper(int width, const Prefix& prefix, bool words)
      : prefix_(prefix),
        first_columns_(Columns(prefix.first)),
        rest_columns_(Columns(prefix.rest)),
        width_(width),
        words_(words) {
    StartRow();
  }

  void Add(std::string_view text, Style style) {
    while (!text.empty()) {
      const Glyph glyph = NextGlyph(text);
      Add(text.substr(0, glyph.bytes), glyph, style);
      text.remove_prefix(glyph.bytes);
    }
  }

  std::vector<Row> Finish() {
    EndWord();
    KeepSpaces();
    EndRow();
    return std::move(rows_);
  }

 private:
  void Add(std::string_view bytes, const Glyph& glyph, Style style) {
    if (glyph.code == '\n') {
      EndWord();
      spaces_.clear();
      EndRow();
      StartRow();
    } else if (glyph.code == '\t') {
      EndWord();
      const int at = text_columns_ + Columns(spaces_);
      for (int i = at % kTabStop; i < kTabStop; ++i) Add(" ", {1, 1, ' '}, style);
    } else if (glyph.code == ' ' && words_) {
      EndWord();
      Append(spaces_, " ", style);
    } else {
      const bool alone = glyph.columns == 2 || !words_;
      if (alone) EndWord();
      Append(word_, bytes, style);
      word_columns_ += glyph.columns;
      if (alone || word_columns_ >= room_) EndWord();
    }
  }

  // Puts the spaces before it and the word into this row or, without the spaces, the next.
  void EndWord() {
    if (word_.empty()) return;
    const int spaces = Columns(spaces_);
    if (text_columns_ + spaces + word_columns_ > room_ && text_columns_ + spaces > 0) {
      spaces_.clear();
      EndRow();
      StartRow();
    } else {
      KeepSpaces();
    }
    Append(row_.spans, word_);
    text_columns_ += word_columns_;
    word_.clear();
    word_columns_ = 0;
  }

  void KeepSpaces() {
    const int columns = Columns(spaces_);
    if (columns > 0 && text_columns_ + columns <= room_) {
      Append(row_.spans, spaces_);
      text_columns_ += columns;
    }
    spaces_.clear();
  }

  void StartRow() {
    const bool first = rows_.empty();
    row_.spans = first ? prefix_.first : prefix_.rest;
    row_.columns = first ? first_columns_ : rest_columns_;
    room_ = std::max(width_ - row_.columns, kLeastWidth);
    text_columns_ = 0;
  }

  void EndRow() {
    row_.columns += text_columns_;
    rows_.push_back(std::move(row_));
    row_ = {};
  }

  const Prefix& prefix_;
  const int first_columns_, rest_columns_, width_;
  const bool words_;
  std::vector<Row> rows_;
  Row row_;
  int room_ = 0;
  int text_columns_ = 0;
  Spans spaces_, word_;
  int word_columns_ = 0;
};

std::vector<Row> Wrap(const Spans& text, int width, const Prefix& prefix, bool words) {
  Wrapper wrapper(width, prefix, words);
  for (const Span& span : text) wrapper.Add(span.text, span.style);
  return wrapper.Finish();
}

}  // namespace

std::vector<Row> WrapText(const Spans& text, int width, const Prefix& prefix) {
  return Wrap(text, width, prefix, true);
}

std::vector<Row> WrapColumns(const Spans& text, int width, const Prefix& prefix) {
  return Wrap(text, width, prefix, false);
}

}  // namespace flashmoe::terminal
