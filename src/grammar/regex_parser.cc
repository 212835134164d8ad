#include <fmt/format.h>

#include "grammar/regex_ast.h"
#include "grammar/regex_class.h"
#include "text/utf8.h"

namespace flashmoe::grammar {
namespace {

constexpr uint32_t kCountMax = 1'000'000;

class Parser {
 public:
  Parser(std::string_view pattern, int depth_max) : in_{pattern, 0}, depth_max_(depth_max) {}

  Result<Regex> Parse() {
    if (!IsValidUtf8(in_.text)) return InvalidInput("the pattern is not valid UTF-8");
    FM_ASSIGN_OR_RETURN(Regex regex, Alternatives(0));
    if (!in_.AtEnd()) return in_.Wrong("there is a ')' without a '('");
    return regex;
  }

 private:
  Result<Regex> Alternatives(int depth) {
    if (depth > depth_max_) return in_.Wrong("groups are nested too deeply");
    Regex all{.kind = Regex::Kind::kAlternatives};
    do {
      FM_ASSIGN_OR_RETURN(Regex one, Sequence(depth));
      all.parts.push_back(std::move(one));
    } while (in_.Take('|'));
    if (all.parts.size() == 1) return std::move(all.parts[0]);
    return all;
  }

  Result<Regex> Sequence(int depth) {
    Regex all{.kind = Regex::Kind::kSequence};
    while (!in_.AtEnd() && in_.Peek() != '|' && in_.Peek() != ')') {
      FM_ASSIGN_OR_RETURN(Regex atom, Atom(depth));
      FM_ASSIGN_OR_RETURN(Regex quantified, Quantified(std::move(atom)));
      all.parts.push_back(std::move(quantified));
    }
    return all;
  }

  Result<Regex> Atom(int depth) {
    switch (in_.Peek()) {
      case '^':
        in_.Next();
        return Regex{.kind = Regex::Kind::kTextStart};
      case '$':
        in_.Next();
        return Regex{.kind = Regex::Kind::kTextEnd};
      case '(':
        return Group(depth);
      case '*':
      case '+':
      case '?':
        return in_.Wrong(fmt::format("there is nothing to repeat before '{}'", in_.Peek()));
      case '{':
      case '}':
      case ']':
        return in_.Wrong(fmt::format("'{0}' must be written as '\\{0}'", in_.Peek()));
      default: {
        FM_ASSIGN_OR_RETURN(CharClass chars, ParseCharOrClass(in_));
        return Regex{.kind = Regex::Kind::kChar, .chars = std::move(chars)};
      }
    }
  }

  Result<Regex> Group(int depth) {
    const size_t begin = in_.at;
    in_.Next();
    if (in_.Take('?')) FM_RETURN_IF_ERROR(GroupKind());
    FM_ASSIGN_OR_RETURN(Regex inner, Alternatives(depth + 1));
    if (!in_.Take(')')) return in_.ErrorAt(begin, "this '(' has no ')'");
    return inner;
  }

  Status GroupKind() {
    if (in_.Take(':')) return {};
    if (in_.Take('<')) {
      if (in_.AtEnd() || in_.Peek() == '=' || in_.Peek() == '!') {
        return in_.Unsupported("look-behind");
      }
      while (!in_.AtEnd() && in_.Peek() != '>') in_.Next();
      if (in_.Take('>')) return {};
      return in_.Wrong("the name of a group has no '>'");
    }
    if (!in_.AtEnd() && (in_.Peek() == '=' || in_.Peek() == '!')) {
      return in_.Unsupported("look-ahead");
    }
    return in_.Unsupported("this kind of group");
  }

  Result<Regex> Quantified(Regex atom) {
    if (in_.AtEnd()) return atom;
    const size_t begin = in_.at;
    Regex repeat{.kind = Regex::Kind::kRepeat, .most = Regex::kUnbounded};
    if (in_.Take('+')) {
      repeat.least = 1;
    } else if (in_.Take('?')) {
      repeat.most = 1;
    } else if (in_.Take('{')) {
      FM_RETURN_IF_ERROR(Counts(repeat));
    } else if (!in_.Take('*')) {
      return atom;
    }
    in_.Take('?');  // lazy: the same texts
    const bool assertion =
        atom.kind == Regex::Kind::kTextStart || atom.kind == Regex::Kind::kTextEnd;
    if (assertion) return in_.ErrorAt(begin, "an anchor cannot be repeated");
    repeat.parts.push_back(std::move(atom));
    return repeat;
  }

  // What stands behind '{'.
  Status Counts(Regex& repeat) {
    const size_t begin = in_.at - 1;
    const auto bad = [&] { return in_.ErrorAt(begin, "write a count as {3}, {3,} or {3,5}"); };
    const std::optional<uint32_t> least = Count();
    if (!least) return bad();
    repeat.least = repeat.most = *least;
    if (in_.Take(',')) {
      repeat.most = Regex::kUnbounded;
      if (!in_.AtEnd() && in_.Peek() != '}') {
        const std::optional<uint32_t> most = Count();
        if (!most) return bad();
        repeat.most = *most;
      }
    }
    if (!in_.Take('}')) return bad();
    if (repeat.least > repeat.most) return in_.ErrorAt(begin, "the counts are in the wrong order");
    if (repeat.least > kCountMax || (repeat.most > kCountMax && repeat.most != Regex::kUnbounded)) {
      return in_.ErrorAt(begin, fmt::format("a count is above {}", kCountMax));
    }
    return {};
  }

  std::optional<uint32_t> Count() {
    std::optional<uint32_t> count;
    while (!in_.AtEnd() && in_.Peek() >= '0' && in_.Peek() <= '9') {
      const auto digit = static_cast<uint32_t>(in_.Peek() - '0');
      count = std::min(count.value_or(0) * 10 + digit, kCountMax + 1);
      in_.Next();
    }
    return count;
  }

  PatternReader in_;
  int depth_max_;
};

}  // namespace

Result<Regex> ParseRegex(std::string_view pattern, int depth_max) {
  return Parser(pattern, depth_max).Parse();
}

}  // namespace flashmoe::grammar
