#include "grammar/number_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "grammar/machine.h"
#include "grammar/regex.h"

namespace flashmoe::grammar {
namespace {

constexpr size_t kIntegerDigits = 18, kWholeDigits = 15, kFractionDigits = 17;

Result<Machine> FromRegex(const std::string& pattern, const GrammarLimits& limits) {
  return CompileRegexMachine(pattern, RegexMatch::kWhole, TextEncoding::kUtf8, limits);
}

// A digit in [first, last]; an impossible class if there is none.
std::string Digit(int first, int last) {
  if (first > last) return "[^\\s\\S]";
  return fmt::format("[{}-{}]", first, last);
}

int At(const std::string& digits, size_t i) { return digits[i] - '0'; }
std::string Digits(size_t count) { return fmt::format("[0-9]{{{}}}", count); }

// What is below (or above) `bound` at the first digit that differs, by alternatives.
std::string OtherAtSomeDigit(const std::string& bound, bool below, bool whole,
                             const std::string& rest) {
  std::string pattern;
  for (size_t i = 0; i < bound.size(); ++i) {
    // The first digit of a longer number is not 0.
    const int least = whole && i == 0 && bound.size() > 1 ? 1 : 0;
    const int digit = At(bound, i);
    pattern += "|" + bound.substr(0, i);
    pattern += below ? Digit(least, digit - 1) : Digit(digit + 1, 9);
    pattern += (whole ? Digits(bound.size() - i - 1) : std::string("[0-9]*")) + rest;
  }
  return pattern;
}

constexpr char kAnyFraction[] = "(\\.[0-9]+)?";

// Numbers without sign up to a bound.
std::string AtMost(const Decimal& bound, bool exclusive) {
  std::string pattern = "[^\\s\\S]";
  if (bound.whole.size() > 1) {
    pattern += "|[0-9]" + std::string(kAnyFraction);
    pattern += fmt::format("|[1-9][0-9]{{0,{}}}", bound.whole.size() - 2) + kAnyFraction;
  }
  pattern += OtherAtSomeDigit(bound.whole, true, true, kAnyFraction);
  if (!exclusive || !bound.fraction.empty()) pattern += "|" + bound.whole;
  const std::string point = "\\.";
  std::string fraction = "[^\\s\\S]" + OtherAtSomeDigit(bound.fraction, true, false, "");
  for (size_t i = 1; i < bound.fraction.size(); ++i) fraction += "|" + bound.fraction.substr(0, i);
  if (!exclusive) fraction += "|" + bound.fraction + (bound.fraction.empty() ? "0+" : "0*");
  return pattern + "|" + bound.whole + point + "(" + fraction + ")";
}

// Numbers without sign from a bound on.
std::string AtLeast(const Decimal& bound, bool exclusive) {
  std::string pattern = fmt::format("[1-9][0-9]{{{},}}", bound.whole.size()) + kAnyFraction;
  pattern += OtherAtSomeDigit(bound.whole, false, true, kAnyFraction);
  if (!exclusive && bound.fraction.empty()) pattern += "|" + bound.whole;
  std::string fraction = "[^\\s\\S]" + OtherAtSomeDigit(bound.fraction, false, false, "");
  fraction += "|" + bound.fraction + (exclusive ? "[0-9]*[1-9][0-9]*" : "[0-9]*");
  return pattern + "|" + bound.whole + "\\.(" + fraction + ")";
}

struct Magnitudes {
  bool integer = false;
  std::optional<Decimal> least, most;
  bool least_exclusive = false, most_exclusive = false;
};

bool NarrowsNothing(const std::optional<Decimal>& least, bool exclusive) {
  return !least || least->negative || (least->IsZero() && !exclusive);
}

Result<Machine> MagnitudeMachine(const Magnitudes& range, const GrammarLimits& limits) {
  size_t digits = range.integer ? kIntegerDigits : kWholeDigits;
  if (range.least) digits = std::max(digits, range.least->whole.size());
  std::string base = fmt::format("(0|[1-9][0-9]{{0,{}}})", digits - 1);
  if (!range.integer) base += fmt::format("(\\.[0-9]{{1,{}}})?", kFractionDigits);
  FM_ASSIGN_OR_RETURN(Machine machine, FromRegex(base, limits));
  const auto narrow = [&](const std::string& pattern) -> Status {
    FM_ASSIGN_OR_RETURN(const Machine other, FromRegex(pattern, limits));
    std::optional<Machine> both = Intersect(machine, other, limits.pattern_states);
    if (!both) return Fail(ErrorCode::kUnsupported, "the range of numbers is too complicated");
    machine = std::move(*both);
    return {};
  };
  if (!NarrowsNothing(range.least, range.least_exclusive)) {
    FM_RETURN_IF_ERROR(narrow(AtLeast(*range.least, range.least_exclusive)));
  }
  if (range.most) FM_RETURN_IF_ERROR(narrow(AtMost(*range.most, range.most_exclusive)));
  return machine;
}

// Whole numbers, signed or not, that `divisor` divides.
Machine MultiplesMachine(int64_t divisor) {
  // State 0: nothing yet; 1: a sign; 2 + r: the remainder is r.
  Machine machine;
  machine.states.resize(static_cast<size_t>(divisor) + 2);
  machine.states[2].final = true;
  for (size_t s = 0; s < machine.states.size(); ++s) {
    const int64_t remainder = s < 2 ? 0 : static_cast<int64_t>(s) - 2;
    if (s == 0) machine.states[s].bytes.push_back({'-', '-', 1});
    for (int digit = 0; digit < 10; ++digit) {
      const auto byte = static_cast<uint8_t>('0' + digit);
      const auto to = static_cast<StateId>((remainder * 10 + digit) % divisor + 2);
      machine.states[s].bytes.push_back({byte, byte, to});
    }
  }
  return machine;
}

bool IsBelowZero(const std::optional<Decimal>& most, bool exclusive) {
  return most && (most->negative || (most->IsZero() && exclusive));
}

}  // namespace

std::optional<Decimal> Decimal::Parse(std::string text) {
  Decimal d;
  size_t at = 0;
  if (text.starts_with('-')) {
    d.negative = true;
    at = 1;
  }
  int exponent = 0;
  if (const size_t e = text.find('e'); e != text.npos) {
    exponent = std::atoi(text.c_str() + e + 1);
    text.resize(e);
  }
  if (text.find_first_not_of("0123456789.", at) != text.npos) return std::nullopt;  // inf, nan
  const size_t point = std::min(text.find('.'), text.size());
  std::string digits = text.substr(at, point - at);
  auto places = static_cast<int>(digits.size()) + exponent;
  if (point < text.size()) digits += text.substr(point + 1);
  if (places < 0) {
    digits.insert(0, static_cast<size_t>(-places), '0');
    places = 0;
  }
  if (static_cast<int>(digits.size()) < places) digits.resize(static_cast<size_t>(places), '0');
  d.whole = digits.substr(0, static_cast<size_t>(places));
  d.fraction = digits.substr(static_cast<size_t>(places));
  d.whole.erase(0, std::min(d.whole.find_first_not_of('0'), d.whole.size()));
  if (d.whole.empty()) d.whole = "0";
  d.fraction.erase(d.fraction.find_last_not_of('0') + 1);
  d.negative = d.negative && !d.IsZero();
  return d;
}

const Machine& PlainNumberMachine(bool integer) {
  static const auto make = [](bool whole) {
    std::string pattern =
        fmt::format("-?(0|[1-9][0-9]{{0,{}}})", (whole ? kIntegerDigits : kWholeDigits) - 1);
    if (!whole) {
      pattern += fmt::format("(\\.[0-9]{{1,{}}})?([eE][+\\-]?[0-9]{{1,2}})?", kFractionDigits);
    }
    return *FromRegex(pattern, {});
  };
  static const Machine& integers = *new Machine(make(true));
  static const Machine& numbers = *new Machine(make(false));
  return integer ? integers : numbers;
}

Result<Machine> NumberMachine(const NumberRange& range, const GrammarLimits& limits) {
  if (range.IsPlain()) return PlainNumberMachine(range.integer);
  Nfa nfa(limits.pattern_states * 4);
  const NodeId end = nfa.AddNode();
  if (!IsBelowZero(range.most, range.most_exclusive)) {
    FM_ASSIGN_OR_RETURN(const Machine positive,
                        MagnitudeMachine({.integer = range.integer,
                                          .least = range.least,
                                          .most = range.most,
                                          .least_exclusive = range.least_exclusive,
                                          .most_exclusive = range.most_exclusive},
                                         limits));
    nfa.AddEmpty(nfa.Insert(0, positive), end);
  }
  if (!range.least || range.least->negative) {
    // Mirrored: from above zero (or minus the upper bound) to minus the lower bound.
    Magnitudes mirrored{.integer = range.integer,
                        .least = Decimal{},
                        .most = range.least,
                        .least_exclusive = true,
                        .most_exclusive = range.least_exclusive};
    if (range.most && range.most->negative) {
      mirrored.least = range.most;
      mirrored.least->negative = false;
      mirrored.least_exclusive = range.most_exclusive;
    }
    FM_ASSIGN_OR_RETURN(const Machine negative, MagnitudeMachine(mirrored, limits));
    nfa.AddEmpty(nfa.Insert(nfa.Literal(0, "-"), negative), end);
  }
  std::optional<Machine> machine;
  if (!nfa.Overflowed()) machine = Determinize(nfa, 0, end, limits.pattern_states);
  if (machine && range.multiple_of != 1) {
    machine = Intersect(*machine, MultiplesMachine(range.multiple_of), limits.pattern_states);
  }
  if (!machine) return Fail(ErrorCode::kUnsupported, "the range of numbers is too complicated");
  Trim(*machine);
  return std::move(*machine);
}

}  // namespace flashmoe::grammar
