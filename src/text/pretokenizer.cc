#include "text/pretokenizer.h"

#include <array>
#include <cstdint>
#include <string>

#include "text/unicode_tables.h"
#include "text/utf8.h"

namespace flashmoe {
namespace {

enum class CharClass : uint8_t { kLetter, kNumber, kSpace, kOther, kEnd };

struct Char {
  char32_t code = 0;
  size_t bytes = 0;
  CharClass type = CharClass::kEnd;
};

bool IsNewline(char32_t code) { return code == '\r' || code == '\n'; }

class Scanner {
 public:
  Scanner(std::string_view text, PreTokenizer pre)
      : text_(text),
        letter_flags_(pre == PreTokenizer::kQwen35 ? kCodeLetter | kCodeMark : kCodeLetter) {}

  // The alternatives of the pattern in their order; together they cover every character.
  size_t Piece() const {
    if (const size_t end = Contraction(); end > 0) return end;
    const Char first = At(0);
    switch (first.type) {
      case CharClass::kLetter:
        return RunEnd(0, CharClass::kLetter);
      case CharClass::kNumber:
        return first.bytes;
      case CharClass::kSpace:
      case CharClass::kOther:
      case CharClass::kEnd:
        break;
    }
    const Char second = At(first.bytes);
    if (second.type == CharClass::kLetter && !IsNewline(first.code)) {
      return RunEnd(first.bytes, CharClass::kLetter);
    }
    if (first.type == CharClass::kOther) return SymbolsEnd(0);
    if (first.code == ' ' && second.type == CharClass::kOther) return SymbolsEnd(first.bytes);
    return SpaceEnd();
  }

 private:
  Char At(size_t at) const {
    Char c;
    if (at == text_.size()) return c;
    c.code = DecodeValidUtf8(&text_[at], &c.bytes);
    const uint8_t flags = CodeFlagsOf(c.code);
    if ((flags & letter_flags_) != 0) {
      c.type = CharClass::kLetter;
    } else if ((flags & kCodeNumber) != 0) {
      c.type = CharClass::kNumber;
    } else if ((flags & kCodeSpace) != 0) {
      c.type = CharClass::kSpace;
    } else {
      c.type = CharClass::kOther;
    }
    return c;
  }

  size_t RunEnd(size_t at, CharClass type) const {
    for (Char c = At(at); c.type == type; c = At(at)) at += c.bytes;
    return at;
  }

  // [^\s\p{L}\p{N}]+[\r\n]*
  size_t SymbolsEnd(size_t at) const {
    at = RunEnd(at, CharClass::kOther);
    while (at < text_.size() && IsNewline(static_cast<unsigned char>(text_[at]))) ++at;
    return at;
  }

  // \s*[\r\n]+ takes the run up to its last newline; else \s+(?!\S) leaves the last character of
  // the run to what follows; else, for a single character, \s+.
  size_t SpaceEnd() const {
    size_t end = 0, last = 0, newline_end = 0;
    for (Char c = At(0); c.type == CharClass::kSpace; c = At(end)) {
      last = end;
      end += c.bytes;
      if (IsNewline(c.code)) newline_end = end;
    }
    if (newline_end > 0) return newline_end;
    return end == text_.size() || last == 0 ? end : last;
  }

  // (?i:'s|'t|'re|'ve|'m|'ll|'d); 0 if there is none.
  size_t Contraction() const {
    if (text_[0] != '\'') return 0;
    constexpr std::string_view kLongS = "\u017F";
    if (text_.substr(1, kLongS.size()) == kLongS) return 1 + kLongS.size();
    const char a = LowerAt(1), b = LowerAt(2);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
    return 0;
  }

  char LowerAt(size_t at) const {
    if (at >= text_.size()) return '\0';
    const char c = text_[at];
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }

  std::string_view text_;
  int letter_flags_;
};

// A pattern is a spelling of the contractions and a spelling of the rest.
constexpr std::array<std::string_view, 3> kContractions = {
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)",
    "'(?i:[sdmt]|ll|ve|re)",
    "(?i:'(?:s|t|re|ve|m|ll|d))",
};
struct Spelling {
  std::string_view words_and_symbols;
  PreTokenizer pre;
};
constexpr std::array<Spelling, 6> kSpellings = {{
    {R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)", PreTokenizer::kQwen2},
    {R"(|[^\r\n\p{L}\p{N}]?[\p{L}]+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)", PreTokenizer::kQwen2},
    {R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*)",
     PreTokenizer::kQwen35},
    {R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{N}\p{M}]+[\r\n]*)",
     PreTokenizer::kQwen35},
    {R"(|[^\r\n\p{L}\p{N}]?[\p{M}\p{L}]+|\p{N}| ?[^\s\p{M}\p{L}\p{N}]+[\r\n]*)",
     PreTokenizer::kQwen35},
    {R"(|[^\r\n\p{L}\p{M}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*)",
     PreTokenizer::kQwen35},
}};
constexpr std::array<std::string_view, 2> kSpaces = {
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"(|\s*[\r\n]|\s+(?!\S)|\s+)",
};

}  // namespace

size_t NextPiece(std::string_view text, PreTokenizer pre) { return Scanner(text, pre).Piece(); }

std::optional<PreTokenizer> RecognisePattern(std::string_view regex) {
  for (const std::string_view contractions : kContractions) {
    if (!regex.starts_with(contractions)) continue;
    const std::string_view rest = regex.substr(contractions.size());
    for (const Spelling& spelling : kSpellings) {
      if (!rest.starts_with(spelling.words_and_symbols)) continue;
      const std::string_view spaces = rest.substr(spelling.words_and_symbols.size());
      for (const std::string_view known : kSpaces) {
        if (spaces == known) return spelling.pre;
      }
    }
  }
  return std::nullopt;
}

}  // namespace flashmoe
