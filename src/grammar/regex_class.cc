#include "grammar/regex_class.h"

#include <fmt/format.h>

#include <optional>

#include "text/unicode_tables.h"
#include "text/utf8.h"

namespace flashmoe::grammar {
namespace {

// A character, or a class that cannot be the end of a range.
struct Item {
  CharClass chars;
  std::optional<char32_t> code;
};

Item Single(char32_t code) { return {CharClass({{code, code}}), code}; }

std::optional<int> HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

// `digits` of them; 0: as many as there are, up to 6.
std::optional<char32_t> Hex(PatternReader& in, int digits) {
  char32_t code = 0;
  int read = 0;
  while (read < (digits > 0 ? digits : 6) && !in.AtEnd()) {
    const std::optional<int> digit = HexDigit(in.Peek());
    if (!digit) break;
    code = code * 16 + static_cast<char32_t>(*digit);
    in.Next();
    ++read;
  }
  if (read == 0 || (digits > 0 && read != digits)) return std::nullopt;
  return code;
}

bool IsSurrogate(char32_t code, char32_t first) { return code >= first && code < first + 0x400; }

// What stands behind \u.
Result<Item> UnicodeEscape(PatternReader& in, size_t begin) {
  std::optional<char32_t> code;
  if (in.Take('{')) {
    code = Hex(in, 0);
    if (!in.Take('}')) code.reset();
  } else {
    code = Hex(in, 4);
    if (code && IsSurrogate(*code, 0xD800) && in.Take('\\') && in.Take('u')) {
      const std::optional<char32_t> low = Hex(in, 4);
      if (!low || !IsSurrogate(*low, 0xDC00)) code.reset();
      if (code) code = 0x10000 + ((*code - 0xD800) << 10) + (*low - 0xDC00);
    }
  }
  if (!code || *code > kCodeMax || IsSurrogate(*code, 0xD800) || IsSurrogate(*code, 0xDC00)) {
    return in.ErrorAt(begin, "this \\u names no character");
  }
  return Single(*code);
}

// What stands behind \p or \P.
Result<Item> Property(PatternReader& in, size_t begin, bool negated) {
  std::string_view name;
  if (in.Take('{')) {
    const size_t end = in.text.find('}', in.at);
    if (end == in.text.npos) return in.ErrorAt(begin, "this \\p has no '}'");
    name = in.text.substr(in.at, end - in.at);
    in.at = end + 1;
  }
  for (const std::string_view prefix : {"General_Category=", "gc="}) {
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  }
  uint8_t flags = 0;
  if (name == "L" || name == "Letter") flags = kCodeLetter;
  if (name == "M" || name == "Mark") flags = kCodeMark;
  if (name == "N" || name == "Number") flags = kCodeNumber;
  if (name == "White_Space") flags = kCodeSpace;
  if (flags == 0) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("the property {} is not supported", QuoteText(name)),
                fmt::format("position {}", begin), "use \\p{L}, \\p{M}, \\p{N}, or ranges");
  }
  const CharClass& chars = UnicodeClass(flags);
  return Item{negated ? chars.Negated() : chars, {}};
}

const CharClass& Digits() {
  static const CharClass& chars = *new CharClass({{'0', '9'}});
  return chars;
}
const CharClass& WordChars() {
  static const CharClass& chars = *new CharClass({{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}});
  return chars;
}
// ECMAScript's white space and line ends.
const CharClass& Spaces() {
  static const CharClass& chars = *new CharClass({{9, 13},
                                                  {0x20, 0x20},
                                                  {0xA0, 0xA0},
                                                  {0x1680, 0x1680},
                                                  {0x2000, 0x200A},
                                                  {0x2028, 0x2029},
                                                  {0x202F, 0x202F},
                                                  {0x205F, 0x205F},
                                                  {0x3000, 0x3000},
                                                  {0xFEFF, 0xFEFF}});
  return chars;
}

// \d and the like; nothing if `c` is none of them.
std::optional<CharClass> Shorthand(char c) {
  switch (c) {
    case 'd':
      return Digits();
    case 'D':
      return Digits().Negated();
    case 'w':
      return WordChars();
    case 'W':
      return WordChars().Negated();
    case 's':
      return Spaces();
    case 'S':
      return Spaces().Negated();
    default:
      return std::nullopt;
  }
}

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Behind a backslash: what stands for one character by a letter or digit.
Result<Item> LetterEscape(PatternReader& in, size_t begin, bool in_class) {
  const char c = in.Peek();
  in.Next();
  static constexpr std::string_view kLetters = "nrtfv", kCodes = "\n\r\t\f\v";
  if (const size_t at = kLetters.find(c); at != kLetters.npos) {
    return Single(static_cast<char32_t>(kCodes[at]));
  }
  if (c == 'b' && in_class) return Single('\b');
  if (c == 'b' || c == 'B') return in.Unsupported("a word boundary");
  if (c == 'k' || (c >= '1' && c <= '9')) return in.Unsupported("a back reference");
  if (c == 'p' || c == 'P') return Property(in, begin, c == 'P');
  if (c == 'u') return UnicodeEscape(in, begin);
  if (c == '0' && (in.AtEnd() || in.Peek() < '0' || in.Peek() > '9')) return Single(0);
  if (c == 'x') {
    if (const std::optional<char32_t> code = Hex(in, 2)) return Single(*code);
    return in.ErrorAt(begin, "\\x needs two hexadecimal digits");
  }
  if (c == 'c' && !in.AtEnd() && IsLetter(in.Peek())) {
    const char control = in.Peek();
    in.Next();
    return Single(static_cast<char32_t>(control) & 31);
  }
  return in.ErrorAt(begin, fmt::format("'\\{}' is no escape", c));
}

Result<Item> Escape(PatternReader& in, bool in_class) {
  const size_t begin = in.at - 1;
  if (in.AtEnd()) return in.ErrorAt(begin, "there is nothing behind the backslash");
  if (std::optional<CharClass> chars = Shorthand(in.Peek())) {
    in.Next();
    return Item{std::move(*chars), {}};
  }
  const char c = in.Peek();
  if (IsLetter(c) || (c >= '0' && c <= '9')) return LetterEscape(in, begin, in_class);
  size_t bytes = 0;
  const char32_t code = DecodeValidUtf8(in.text.data() + in.at, &bytes);
  in.at += bytes;
  return Single(code);
}

Result<Item> CharOrEscape(PatternReader& in, bool in_class) {
  if (in.Take('\\')) return Escape(in, in_class);
  size_t bytes = 0;
  const char32_t code = DecodeValidUtf8(in.text.data() + in.at, &bytes);
  in.at += bytes;
  return Single(code);
}

// What stands behind '['.
Result<CharClass> Brackets(PatternReader& in) {
  const size_t begin = in.at - 1;
  const bool negated = in.Take('^');
  std::vector<CodeRange> ranges;
  while (!in.AtEnd() && in.Peek() != ']') {
    const size_t item_begin = in.at;
    FM_ASSIGN_OR_RETURN(const Item item, CharOrEscape(in, true));
    const bool range = in.at + 1 < in.text.size() && in.Peek() == '-' && in.text[in.at + 1] != ']';
    if (!range) {
      ranges.insert(ranges.end(), item.chars.ranges().begin(), item.chars.ranges().end());
      continue;
    }
    in.Next();
    FM_ASSIGN_OR_RETURN(const Item last, CharOrEscape(in, true));
    if (!item.code || !last.code || *item.code > *last.code) {
      return in.ErrorAt(item_begin, "this range of a class is none");
    }
    ranges.push_back({*item.code, *last.code});
  }
  if (!in.Take(']')) return in.ErrorAt(begin, "this '[' has no ']'");
  CharClass chars(std::move(ranges));
  return negated ? chars.Negated() : chars;
}

}  // namespace

std::unexpected<Error> PatternReader::ErrorAt(size_t position, std::string what) const {
  return InvalidInput(std::move(what), fmt::format("position {}", position),
                      "correct the regular expression");
}

std::unexpected<Error> PatternReader::Unsupported(std::string_view what) const {
  return Fail(ErrorCode::kUnsupported,
              fmt::format("{} in a regular expression is not supported", what),
              fmt::format("position {}", at), "write the expression without it");
}

Result<CharClass> ParseCharOrClass(PatternReader& in) {
  if (in.Take('[')) return Brackets(in);
  if (in.Take('.')) {
    static const CharClass line_ends({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}});
    return line_ends.Negated();
  }
  FM_ASSIGN_OR_RETURN(Item item, CharOrEscape(in, false));
  return std::move(item.chars);
}

}  // namespace flashmoe::grammar
