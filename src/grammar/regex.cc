#include "grammar/regex.h"

#include <fmt/format.h>

#include "grammar/machine.h"
#include "grammar/regex_ast.h"

namespace flashmoe::grammar {
namespace {

class Emitter {
 public:
  Emitter(Nfa& nfa, TextEncoding encoding) : nfa_(nfa), encoding_(encoding) {}

  NodeId Emit(const Regex& regex, NodeId from) {
    if (nfa_.Overflowed()) return from;
    switch (regex.kind) {
      case Regex::Kind::kSequence:
        for (const Regex& part : regex.parts) from = Emit(part, from);
        return from;
      case Regex::Kind::kAlternatives: {
        const NodeId to = nfa_.AddNode();
        for (const Regex& part : regex.parts) nfa_.AddEmpty(Emit(part, from), to);
        return to;
      }
      case Regex::Kind::kRepeat:
        return Repeat(regex, from);
      case Regex::Kind::kChar:
        return AppendChar(nfa_, from, regex.chars, encoding_);
      case Regex::Kind::kTextStart:
        return Assertion(from, Nfa::EdgeKind::kTextStart);
      case Regex::Kind::kTextEnd:
        return Assertion(from, Nfa::EdgeKind::kTextEnd);
    }
    return from;
  }

  // Any text, as often as wanted.
  NodeId Anything(NodeId from) {
    const NodeId loop = nfa_.AddNode();
    nfa_.AddEmpty(from, loop);
    nfa_.AddEmpty(AppendChar(nfa_, loop, CharClass::All(), encoding_), loop);
    return loop;
  }

 private:
  NodeId Assertion(NodeId from, Nfa::EdgeKind kind) {
    const NodeId to = nfa_.AddNode();
    nfa_.AddAssertion(from, kind, to);
    return to;
  }

  NodeId Repeat(const Regex& regex, NodeId from) {
    const Regex& part = regex.parts[0];
    for (uint32_t i = 0; i < regex.least && !nfa_.Overflowed(); ++i) from = Once(part, from);
    if (regex.most == Regex::kUnbounded) {
      const NodeId loop = nfa_.AddNode();
      nfa_.AddEmpty(from, loop);
      nfa_.AddEmpty(Emit(part, loop), loop);
      return loop;
    }
    const NodeId to = nfa_.AddNode();
    nfa_.AddEmpty(from, to);
    for (uint32_t i = regex.least; i < regex.most && !nfa_.Overflowed(); ++i) {
      from = Once(part, from);
      nfa_.AddEmpty(from, to);
    }
    return to;
  }

  // Takes a node even for an empty part: the nodes bound the work.
  NodeId Once(const Regex& part, NodeId from) {
    const NodeId begin = nfa_.AddNode();
    nfa_.AddEmpty(from, begin);
    return Emit(part, begin);
  }

  Nfa& nfa_;
  TextEncoding encoding_;
};

}  // namespace

Result<Machine> CompileRegexMachine(std::string_view pattern, RegexMatch match,
                                    TextEncoding encoding, const GrammarLimits& limits) {
  constexpr size_t kNodesPerState = 8;  // what has one state has several nodes at first
  constexpr size_t kBytesMax = 1 << 15;
  if (pattern.size() > kBytesMax) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("the regular expression has more than {} bytes", kBytesMax));
  }
  FM_ASSIGN_OR_RETURN(const Regex regex, ParseRegex(pattern, limits.schema_depth));
  Nfa nfa(limits.pattern_states * kNodesPerState);
  Emitter emitter(nfa, encoding);
  NodeId end = 0;
  if (match == RegexMatch::kWhole) {
    end = emitter.Emit(regex, 0);
  } else {
    end = emitter.Anything(emitter.Emit(regex, emitter.Anything(0)));
  }
  std::optional<Machine> machine;
  if (!nfa.Overflowed()) machine = Determinize(nfa, 0, end, limits.pattern_states);
  if (!machine) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("the regular expression needs more than {} states", limits.pattern_states), {},
        "use smaller counts or fewer overlapping alternatives");
  }
  Trim(*machine);
  if (IsEmpty(*machine)) return InvalidInput("the regular expression matches no text");
  return std::move(*machine);
}

}  // namespace flashmoe::grammar
