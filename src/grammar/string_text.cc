#include "grammar/string_text.h"

#include <fmt/format.h>

#include "grammar/machine.h"
#include "grammar/regex.h"
#include "text/utf8.h"

namespace flashmoe::grammar {
namespace {

std::unexpected<Error> TooComplicated(const GrammarLimits& limits) {
  return Fail(ErrorCode::kUnsupported,
              fmt::format("the string needs more than {} states", limits.pattern_states), {},
              "use a smaller length or a simpler pattern");
}

// Between `least` and `most` characters.
Result<Machine> LengthMachine(uint64_t least, std::optional<uint64_t> most, TextEncoding encoding,
                              const GrammarLimits& limits) {
  const uint64_t counted = most.value_or(least);
  if (counted > limits.states) return TooComplicated(limits);
  Nfa nfa(limits.states * 2);
  const CharClass all = CharClass::All();
  const NodeId end = nfa.AddNode();
  NodeId at = nfa.AddNode();
  nfa.AddEmpty(0, at);
  for (uint64_t i = 0; i < counted && !nfa.Overflowed(); ++i) {
    if (i >= least) nfa.AddEmpty(at, end);
    at = AppendChar(nfa, at, all, encoding);
  }
  nfa.AddEmpty(at, end);
  if (!most) nfa.AddEmpty(AppendChar(nfa, at, all, encoding), at);
  std::optional<Machine> machine;
  if (!nfa.Overflowed()) machine = Determinize(nfa, 0, end, limits.states);
  if (!machine) return TooComplicated(limits);
  return std::move(*machine);
}

}  // namespace

Machine AnyTextMachine(TextEncoding encoding) {
  return *CompileRegexMachine("[\\s\\S]*", RegexMatch::kWhole, encoding, {});
}

Machine WithoutPartMachine(std::string_view part) {
  Nfa nfa(1 << 16);
  const CharClass all = CharClass::All();
  nfa.AddEmpty(AppendChar(nfa, 0, all, TextEncoding::kUtf8), 0);
  const NodeId found = nfa.Literal(0, part);
  nfa.AddEmpty(AppendChar(nfa, found, all, TextEncoding::kUtf8), found);
  const Machine with = *Determinize(nfa, 0, found, 1 << 12);
  return *Subtract(AnyTextMachine(TextEncoding::kUtf8), with, 1 << 12);
}

Result<Machine> WordsMachine(const std::vector<std::string>& words, TextEncoding encoding,
                             const GrammarLimits& limits) {
  Nfa nfa(limits.states * 4);
  const NodeId end = nfa.AddNode();
  for (const std::string& word : words) {
    NodeId at = nfa.AddNode();
    nfa.AddEmpty(0, at);
    for (size_t i = 0; i < word.size() && !nfa.Overflowed();) {
      const Utf8Char c = DecodeUtf8(std::string_view(word).substr(i));
      if (c.kind != Utf8Char::Kind::kValid) return InvalidInput("a name is not valid UTF-8");
      at = AppendChar(nfa, at, CharClass({{c.code, c.code}}), encoding);
      i += c.bytes;
    }
    nfa.AddEmpty(at, end);
  }
  std::optional<Machine> machine;
  if (!nfa.Overflowed()) machine = Determinize(nfa, 0, end, limits.states);
  if (!machine) return TooComplicated(limits);
  return std::move(*machine);
}

Result<Machine> StringMachine(const StringLimits& limits, TextEncoding encoding,
                              const GrammarLimits& grammar_limits) {
  std::optional<Machine> machine;
  const auto narrow = [&](Machine other) -> Status {
    if (!machine) {
      machine = std::move(other);
      return {};
    }
    machine = Intersect(*machine, other, grammar_limits.states);
    if (!machine) return TooComplicated(grammar_limits);
    return {};
  };
  if (!limits.pattern.empty()) {
    FM_ASSIGN_OR_RETURN(Machine pattern, CompileRegexMachine(limits.pattern, RegexMatch::kAnywhere,
                                                             encoding, grammar_limits));
    FM_RETURN_IF_ERROR(narrow(std::move(pattern)));
  }
  if (!limits.format.empty()) {
    const std::optional<std::string> pattern = FormatPattern(limits.format);
    if (!pattern) return Fail(ErrorCode::kUnsupported, "the format is not supported");
    FM_ASSIGN_OR_RETURN(Machine format, CompileRegexMachine(*pattern, RegexMatch::kWhole, encoding,
                                                            grammar_limits));
    FM_RETURN_IF_ERROR(narrow(std::move(format)));
  }
  if (limits.length_least > 0 || limits.length_most) {
    FM_ASSIGN_OR_RETURN(Machine length, LengthMachine(limits.length_least, limits.length_most,
                                                      encoding, grammar_limits));
    FM_RETURN_IF_ERROR(narrow(std::move(length)));
  }
  return machine ? std::move(*machine) : AnyTextMachine(encoding);
}

}  // namespace flashmoe::grammar
