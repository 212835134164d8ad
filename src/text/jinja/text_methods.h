// Work on strings that methods and filters share.
#pragma once

#include "text/jinja/value.h"

namespace flashmoe::jinja {

enum class Side { kLeft, kRight, kBoth };

// Without leading and / or trailing characters of `chars`; white space if it is absent.
std::string_view Strip(std::string_view text, std::optional<std::string_view> chars, Side side);
// At most `count` replacements; all if negative.
Result<Value> Replace(Budget& budget, std::string_view text, std::string_view old_text,
                      std::string_view new_text, int64_t count, bool markup);
// Parts of a string that outlives them.
struct Pieces {
  explicit Pieces(Budget& budget) : charge(&budget) {}
  std::vector<std::string_view> items;
  Charge charge;
  Status Add(std::string_view piece);
};
// Pieces between line breaks of every kind that Python knows.
Result<Pieces> SplitLines(Budget& budget, std::string_view text, bool keep_ends);
Result<Value> Center(Budget& budget, const Text& text, int64_t width, char32_t fill);
bool IsUpperText(std::string_view text);
bool IsLowerText(std::string_view text);

}  // namespace flashmoe::jinja
