// What a string may be: length, pattern, format.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "grammar/automaton.h"
#include "grammar/char_class.h"
#include "grammar/grammar.h"

namespace flashmoe::grammar {

struct StringLimits {
  uint64_t length_least = 0;  // in characters
  std::optional<uint64_t> length_most = {};
  std::string pattern = {};  // empty: none
  std::string format = {};   // empty: none

  bool IsPlain() const {
    return length_least == 0 && !length_most && pattern.empty() && format.empty();
  }
};

// The regular expression of a `format`; nullopt: not a supported one.
std::optional<std::string> FormatPattern(std::string_view format);

// The texts that satisfy all of them, without quotes. In a JSON string, characters are written in
// the shortest way. Errors have no `where`, except a pattern's ("position N").
Result<Machine> StringMachine(const StringLimits& limits, TextEncoding encoding,
                              const GrammarLimits& grammar_limits);

// Any text; texts from a list; texts that do not contain `part`.
Machine AnyTextMachine(TextEncoding encoding);
Result<Machine> WordsMachine(const std::vector<std::string>& words, TextEncoding encoding,
                             const GrammarLimits& limits);
Machine WithoutPartMachine(std::string_view part);

}  // namespace flashmoe::grammar
