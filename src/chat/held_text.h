// Text that came but is not decided yet, and the marks that decide it.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace flashmoe {

// A queue of characters. Dropping costs nothing in the long run.
class HeldText {
 public:
  std::string_view view() const { return std::string_view(text_).substr(begin_); }
  void Append(std::string_view more) { text_ += more; }
  // REQUIRES: bytes <= view().size()
  void Drop(size_t bytes) {
    begin_ += bytes;
    if (begin_ < text_.size() / 2) return;
    text_.erase(0, begin_);
    begin_ = 0;
  }

 private:
  std::string text_;
  size_t begin_ = 0;
};

inline constexpr std::string_view kSpace = " \t\r\n";

// The end of the spaces at `from`.
inline size_t SkipSpace(std::string_view text, size_t from) {
  const size_t at = text.find_first_not_of(kSpace, from);
  return at == std::string_view::npos ? text.size() : at;
}

enum class MarkMatch { kNo, kYes, kPartly };  // partly: the text ends within the mark

inline MarkMatch MatchMark(std::string_view text, std::string_view mark) {
  if (text.starts_with(mark)) return MarkMatch::kYes;
  return mark.starts_with(text) ? MarkMatch::kPartly : MarkMatch::kNo;
}

struct FoundMark {
  size_t at = 0;  // without one: where one may still begin, or the end of the text
  int mark = -1;  // -1: none
};

// The first of `marks` at or after `from`. REQUIRES: each begins with '<' and has no other; none
// begins another.
inline FoundMark FindMark(std::string_view text, size_t from,
                          std::span<const std::string_view> marks) {
  for (size_t at = text.find('<', from); at < text.size(); at = text.find('<', at + 1)) {
    for (size_t i = 0; i < marks.size(); ++i) {
      const MarkMatch match = MatchMark(text.substr(at), marks[i]);
      if (match == MarkMatch::kYes) return {at, static_cast<int>(i)};
      if (match == MarkMatch::kPartly) return {at, -1};
    }
  }
  return {text.size(), -1};
}

}  // namespace flashmoe
