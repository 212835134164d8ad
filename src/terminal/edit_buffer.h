// A text that is being written: where the cursor is and what keys do to it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace flashmoe::terminal {

// The cursor stands before a character as people see them (a grapheme cluster), never within one.
class EditBuffer {
 public:
  const std::string& text() const { return text_; }
  size_t cursor() const { return cursor_; }
  bool empty() const { return text_.empty(); }

  void SetText(std::string text);  // the cursor goes to the end
  void Insert(std::string_view text);

  void Left();
  void Right();
  void WordLeft();
  void WordRight();
  void LineStart();
  void LineEnd();
  // To the line above or below, in the same column as far as it goes; false: there is none.
  bool Up();
  bool Down();

  void DeleteLeft();
  void DeleteRight();
  // These keep what they remove for Yank.
  void DeleteWordLeft();
  void DeleteWordRight();
  void DeleteToLineStart();
  void DeleteToLineEnd();
  void Yank() { Insert(killed_); }

 private:
  size_t WordStart() const;
  size_t WordEnd() const;
  size_t LineStartAt(size_t at) const;
  size_t LineEndAt(size_t at) const;
  void MoveInLine(size_t start, int columns);
  void Kill(size_t begin, size_t end);
  void Erase(size_t begin, size_t end);

  std::string text_;
  size_t cursor_ = 0;
  std::string killed_;
};

}  // namespace flashmoe::terminal
