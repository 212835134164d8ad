// Regular expressions: ECMAScript's syntax (as with its flag u), read into machines.
//
// Supported: alternatives, groups (also named and non-capturing), * + ? {m,n}, lazy or not; . and
// classes with ranges, \d \w \s \D \W \S, \p{L} \p{M} \p{N} and their negations; \n \r \t \f \v \0
// \xHH \uHHHH \u{H...} \cX and escaped punctuation; ^ and $. Refused: look-around, back references,
// word boundaries, other Unicode properties.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/status.h"
#include "grammar/automaton.h"
#include "grammar/char_class.h"
#include "grammar/grammar.h"

namespace flashmoe::grammar {

enum class RegexMatch {
  kWhole,     // the whole text matches
  kAnywhere,  // some part of it does, as JSON Schema's `pattern` wants it
};

// Errors have "position N" (a byte of the pattern, from 0) as `where`, or nothing if the pattern as
// a whole is too large.
Result<Machine> CompileRegexMachine(std::string_view pattern, RegexMatch match,
                                    TextEncoding encoding, const GrammarLimits& limits);

}  // namespace flashmoe::grammar
