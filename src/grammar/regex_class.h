// The parts of a regular expression that stand for one character.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"
#include "grammar/char_class.h"

namespace flashmoe::grammar {

struct PatternReader {
  std::string_view text;
  size_t at = 0;

  bool AtEnd() const { return at == text.size(); }
  char Peek() const { return text[at]; }  // REQUIRES: !AtEnd()
  void Next() { ++at; }
  bool Take(char c) {
    if (AtEnd() || Peek() != c) return false;
    Next();
    return true;
  }

  std::unexpected<Error> Wrong(std::string what) const { return ErrorAt(at, std::move(what)); }
  std::unexpected<Error> ErrorAt(size_t position, std::string what) const;
  std::unexpected<Error> Unsupported(std::string_view what) const;
};

// A character, an escape, '.', or a class in brackets. REQUIRES: !in.AtEnd().
Result<CharClass> ParseCharOrClass(PatternReader& in);

}  // namespace flashmoe::grammar
