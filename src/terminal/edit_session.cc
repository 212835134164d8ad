#include "terminal/edit_session.h"

#include <algorithm>

#include "terminal/glyphs.h"

namespace flashmoe::terminal {
namespace {

constexpr int kTabColumns = 4;

// Lays a text out in rows of so many columns and notes where its byte `cursor` is.
class Lines {
 public:
  Lines(std::string_view prompt, int columns, size_t cursor)
      : room_(static_cast<size_t>(Columns(prompt)), ' '), columns_(columns), cursor_(cursor) {
    Append(row_.spans, prompt, kBold);
    row_.columns = Columns(prompt);
  }

  EditView Finish(std::string_view text) {
    size_t at = 0;
    while (at < text.size()) {
      const Glyph glyph = NextGlyph(text.substr(at));
      const int columns = glyph.code == '\t' ? kTabColumns : glyph.columns;
      if (row_.columns + columns > columns_) Break();
      Note(at);
      if (glyph.code == '\n') {
        Break();
      } else if (glyph.code == '\t') {
        Append(row_.spans, std::string(kTabColumns, ' '), kPlain);
      } else {
        Append(row_.spans, text.substr(at, glyph.bytes), kPlain);
      }
      if (glyph.code != '\n') row_.columns += columns;
      at += glyph.bytes;
    }
    Note(at);
    view_.rows.push_back(std::move(row_));
    return std::move(view_);
  }

 private:
  void Note(size_t at) {
    if (at != cursor_) return;
    view_.cursor_row = view_.rows.size();
    view_.cursor_column = row_.columns;
  }
  void Break() {
    view_.rows.push_back(std::move(row_));
    row_ = MakeRow({{room_, kPlain}});
  }

  const std::string room_;
  const int columns_;
  const size_t cursor_;
  Row row_;
  EditView view_;
};

std::string CommonBeginning(const std::string& a, const std::string& b) {
  const auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  return std::string(a.begin(), end);
}

}  // namespace

EditView EditSession::Look(std::string_view prompt, ScreenSize size) const {
  const int columns = std::max(size.columns - 1, Columns(prompt) + kTabColumns);
  EditView view = Lines(prompt, columns, buffer_.cursor()).Finish(buffer_.text());
  // Of an input that is higher than the screen, the part around the cursor.
  const size_t rows_max = static_cast<size_t>(std::max(size.rows - 1, 1));
  if (view.rows.size() > rows_max) {
    const size_t last = std::min(view.rows.size(), std::max(view.cursor_row + 1, rows_max));
    view.rows.erase(view.rows.begin() + static_cast<ptrdiff_t>(last), view.rows.end());
    view.rows.erase(view.rows.begin(), view.rows.end() - static_cast<ptrdiff_t>(rows_max));
    view.cursor_row -= last - rows_max;
  }
  return view;
}

EditSession::Step EditSession::Press(const Key& key) {
  switch (key.kind) {
    case Key::Kind::kText:
    case Key::Kind::kPaste:
      buffer_.Insert(key.text);
      break;
    case Key::Kind::kEnter:
      return Enter();
    case Key::Kind::kNewLine:
      buffer_.Insert("\n");
      break;
    case Key::Kind::kTab:
      Complete();
      break;
    case Key::Kind::kBackspace:
      buffer_.DeleteLeft();
      break;
    case Key::Kind::kDelete:
      buffer_.DeleteRight();
      break;
    case Key::Kind::kLeft:
      buffer_.Left();
      break;
    case Key::Kind::kRight:
      buffer_.Right();
      break;
    case Key::Kind::kUp:
      if (!buffer_.Up() && entry_ > 0) Recall(entry_ - 1);
      break;
    case Key::Kind::kDown:
      if (!buffer_.Down() && entry_ < history_.entries().size()) Recall(entry_ + 1);
      break;
    case Key::Kind::kHome:
      buffer_.LineStart();
      break;
    case Key::Kind::kEnd:
      buffer_.LineEnd();
      break;
    case Key::Kind::kWordLeft:
      buffer_.WordLeft();
      break;
    case Key::Kind::kWordRight:
      buffer_.WordRight();
      break;
    case Key::Kind::kDeleteWordLeft:
      buffer_.DeleteWordLeft();
      break;
    case Key::Kind::kDeleteWordRight:
      buffer_.DeleteWordRight();
      break;
    case Key::Kind::kControl:
      return PressControl(key.text[0]);
    case Key::Kind::kEscape:
    case Key::Kind::kUnknown:
      break;
  }
  return Step::kGoOn;
}

EditSession::Step EditSession::PressControl(char letter) {
  switch (letter) {
    case 'a':
      buffer_.LineStart();
      break;
    case 'b':
      buffer_.Left();
      break;
    case 'c':
      return Step::kInterrupt;
    case 'd':
      if (buffer_.empty()) return Step::kEnd;
      buffer_.DeleteRight();
      break;
    case 'e':
      buffer_.LineEnd();
      break;
    case 'f':
      buffer_.Right();
      break;
    case 'k':
      buffer_.DeleteToLineEnd();
      break;
    case 'l':
      return Step::kClearScreen;
    case 'n':
      return Press({Key::Kind::kDown});
    case 'p':
      return Press({Key::Kind::kUp});
    case 'u':
      buffer_.DeleteToLineStart();
      break;
    case 'y':
      buffer_.Yank();
      break;
    case 'z':
      return Step::kSuspend;
    default:
      break;
  }
  return Step::kGoOn;
}

// A backslash at the end asks for another line.
EditSession::Step EditSession::Enter() {
  const std::string& text = buffer_.text();
  const size_t slashes = text.size() - (text.find_last_not_of('\\') + 1);
  if (slashes % 2 == 0) return Step::kEnter;
  buffer_.SetText(text.substr(0, text.size() - 1) + "\n");
  return Step::kGoOn;
}

void EditSession::Recall(size_t entry) {
  const auto& entries = history_.entries();
  if (entry_ == entries.size()) draft_ = buffer_.text();
  entry_ = entry;
  buffer_.SetText(entry == entries.size() ? draft_ : entries[entry]);
}

void EditSession::Complete() {
  const std::string& text = buffer_.text();
  if (text.empty() || buffer_.cursor() != text.size()) return;
  std::string common;
  int found = 0;
  for (const std::string& word : words_) {
    if (!word.starts_with(text)) continue;
    common = found++ == 0 ? word : CommonBeginning(common, word);
  }
  if (found > 0) buffer_.SetText(common + (found == 1 ? " " : ""));
}

}  // namespace flashmoe::terminal
