#include "terminal/edit_buffer.h"

#include <algorithm>
#include <cctype>

#include "terminal/glyphs.h"

namespace flashmoe::terminal {
namespace {

// Letters of all alphabets; what separates words is ASCII.
bool IsWord(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || std::isalnum(byte) != 0 || c == '_';
}

}  // namespace

void EditBuffer::SetText(std::string text) {
  text_ = std::move(text);
  cursor_ = text_.size();
}

void EditBuffer::Insert(std::string_view text) {
  text_.insert(cursor_, text);
  cursor_ += text.size();
  // A mark may have joined the cluster before it, or the cursor stand within one now.
  if (cursor_ < text_.size() && cursor_ > 0) {
    const size_t before = PreviousGlyph(text_, cursor_);
    cursor_ = std::max(cursor_, before + NextGlyph(std::string_view(text_).substr(before)).bytes);
  }
}

void EditBuffer::Left() {
  if (cursor_ > 0) cursor_ = PreviousGlyph(text_, cursor_);
}

void EditBuffer::Right() {
  if (cursor_ < text_.size()) cursor_ += NextGlyph(std::string_view(text_).substr(cursor_)).bytes;
}

size_t EditBuffer::WordStart() const {
  size_t at = cursor_;
  while (at > 0 && !IsWord(text_[at - 1])) --at;
  while (at > 0 && IsWord(text_[at - 1])) --at;
  return at;
}

size_t EditBuffer::WordEnd() const {
  size_t at = cursor_;
  while (at < text_.size() && !IsWord(text_[at])) ++at;
  while (at < text_.size() && IsWord(text_[at])) ++at;
  return at;
}

void EditBuffer::WordLeft() { cursor_ = WordStart(); }
void EditBuffer::WordRight() { cursor_ = WordEnd(); }

size_t EditBuffer::LineStartAt(size_t at) const {
  return at == 0 ? 0 : text_.rfind('\n', at - 1) + 1;  // npos + 1 is 0
}

size_t EditBuffer::LineEndAt(size_t at) const {
  return std::min(text_.find('\n', at), text_.size());
}

void EditBuffer::LineStart() { cursor_ = LineStartAt(cursor_); }
void EditBuffer::LineEnd() { cursor_ = LineEndAt(cursor_); }

void EditBuffer::MoveInLine(size_t start, int columns) {
  const size_t end = LineEndAt(start);
  cursor_ = start;
  while (cursor_ < end) {
    const Glyph glyph = NextGlyph(std::string_view(text_).substr(cursor_));
    columns -= glyph.columns;
    if (columns < 0) break;
    cursor_ += glyph.bytes;
  }
}

bool EditBuffer::Up() {
  const size_t start = LineStartAt(cursor_);
  if (start == 0) return false;
  const int columns = Columns(std::string_view(text_).substr(start, cursor_ - start));
  MoveInLine(LineStartAt(start - 1), columns);
  return true;
}

bool EditBuffer::Down() {
  const size_t end = LineEndAt(cursor_);
  if (end == text_.size()) return false;
  const size_t start = LineStartAt(cursor_);
  MoveInLine(end + 1, Columns(std::string_view(text_).substr(start, cursor_ - start)));
  return true;
}

void EditBuffer::Erase(size_t begin, size_t end) {
  text_.erase(begin, end - begin);
  cursor_ = begin;
}

void EditBuffer::Kill(size_t begin, size_t end) {
  if (begin == end) return;
  killed_ = text_.substr(begin, end - begin);
  Erase(begin, end);
}

void EditBuffer::DeleteLeft() {
  if (cursor_ > 0) Erase(PreviousGlyph(text_, cursor_), cursor_);
}

void EditBuffer::DeleteRight() {
  const size_t begin = cursor_;
  Right();
  Erase(begin, cursor_);
}

void EditBuffer::DeleteWordLeft() { Kill(WordStart(), cursor_); }
void EditBuffer::DeleteWordRight() { Kill(cursor_, WordEnd()); }
void EditBuffer::DeleteToLineStart() { Kill(LineStartAt(cursor_), cursor_); }

void EditBuffer::DeleteToLineEnd() {
  const size_t end = LineEndAt(cursor_);
  Kill(cursor_, end == cursor_ && end < text_.size() ? end + 1 : end);
}

}  // namespace flashmoe::terminal
