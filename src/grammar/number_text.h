// JSON numbers, also of a range. Everything written fits a double and, if it is an integer, 64
// bits: integers have at most 18 digits (15 where the range is open in fractions), no exponent in
// ranges.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"
#include "grammar/automaton.h"
#include "grammar/grammar.h"

namespace flashmoe::grammar {

// A bound as a decimal number: digits before and after the point.
struct Decimal {
  bool negative = false;
  std::string whole = "0";  // without leading zeros
  std::string fraction;     // without trailing zeros

  // Of a JSON number; nullopt if it is none.
  static std::optional<Decimal> Parse(std::string text);
  bool IsZero() const { return whole == "0" && fraction.empty(); }
};

struct NumberRange {
  bool integer = false;
  std::optional<Decimal> least = {}, most = {};
  bool least_exclusive = false, most_exclusive = false;
  int64_t multiple_of = 1;  // of integers

  bool IsPlain() const { return !least && !most && multiple_of == 1; }
};

const Machine& PlainNumberMachine(bool integer);
// Unsupported: too many states. An empty machine: no number is in the range.
Result<Machine> NumberMachine(const NumberRange& range, const GrammarLimits& limits);

}  // namespace flashmoe::grammar
