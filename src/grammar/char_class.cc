#include "grammar/char_class.h"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <string>
#include <tuple>

#include "text/unicode_tables.h"
#include "text/utf8.h"

namespace flashmoe::grammar {
namespace {

constexpr CodeRange kSurrogates{0xD800, 0xDFFF};

// Appends the UTF-8 spellings of ranges. Equal endings share their nodes, so that a class with
// hundreds of ranges stays small.
class Utf8Speller {
 public:
  Utf8Speller(Nfa& nfa, NodeId from, NodeId to) : nfa_(nfa), from_(from), to_(to) {}

  void Add(CodeRange range) {
    for (const char32_t last : {0x7Fu, 0x7FFu, 0xFFFFu, 0x10FFFFu}) {
      if (range.first > range.last) return;
      if (range.first > last) continue;
      AddSameLength({range.first, std::min<char32_t>(range.last, last)});
      range.first = last + 1;
    }
  }

 private:
  using Bytes = std::array<uint8_t, 4>;
  static size_t Encode(char32_t code, Bytes& bytes) {
    std::string text;
    AppendUtf8(code, text);
    std::copy(text.begin(), text.end(), bytes.begin());
    return text.size();
  }

  // Cuts the range until each byte runs through a range of its own.
  void AddSameLength(CodeRange range) {
    for (char32_t low = 0x3F; low < 0x40000; low = low << 6 | 0x3F) {
      if ((range.first & ~low) == (range.last & ~low)) break;
      if (range.last < 0x80) break;
      if ((range.first & low) != 0) {
        AddSameLength({range.first, range.first | low});
        AddSameLength({(range.first | low) + 1, range.last});
        return;
      }
      if ((range.last & low) != low) {
        AddSameLength({range.first, (range.last & ~low) - 1});
        AddSameLength({range.last & ~low, range.last});
        return;
      }
    }
    Bytes first{}, last{};
    const size_t length = Encode(range.first, first);
    Encode(range.last, last);
    NodeId to = to_;
    for (size_t i = length; i-- > 1;) to = Ending(first[i], last[i], to);
    nfa_.AddBytes(from_, first[0], last[0], to);
  }

  // The node from which a byte of the range leads to `to`.
  NodeId Ending(uint8_t first, uint8_t last, NodeId to) {
    const auto [at, fresh] = endings_.try_emplace({first, last, to}, 0);
    if (fresh) {
      at->second = nfa_.AddNode();
      nfa_.AddBytes(at->second, first, last, to);
    }
    return at->second;
  }

  Nfa& nfa_;
  NodeId from_, to_;
  std::map<std::tuple<uint8_t, uint8_t, NodeId>, NodeId> endings_;
};

CharClass MakeUnicodeClass(uint8_t flags) {
  std::vector<CodeRange> ranges;
  for (char32_t code = 0; code <= kCodeMax; ++code) {
    if ((CodeFlagsOf(code) & flags) == 0) continue;
    if (!ranges.empty() && ranges.back().last + 1 == code) {
      ranges.back().last = code;
    } else {
      ranges.push_back({code, code});
    }
  }
  return CharClass(std::move(ranges));
}

void AppendEscape(Nfa& nfa, NodeId from, char32_t code, NodeId to) {
  static constexpr std::string_view kPlain = "\"\\\b\f\n\r\t";
  static constexpr std::string_view kLetters = "\"\\bfnrt";
  std::string spelling = "\\";
  const size_t at = kPlain.find(static_cast<char>(code));
  if (at != kPlain.npos) {
    spelling += kLetters[at];
  } else {
    spelling += "u00";
    spelling += "01"[code >> 4];
    spelling += "0123456789abcdef"[code & 15];
  }
  nfa.AddEmpty(nfa.Literal(from, spelling), to);
}

}  // namespace

CharClass::CharClass(std::vector<CodeRange> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const CodeRange& a, const CodeRange& b) { return a.first < b.first; });
  const auto add = [this](CodeRange range) {
    if (range.first > range.last) return;
    if (!ranges_.empty() && range.first <= ranges_.back().last + 1) {
      ranges_.back().last = std::max(ranges_.back().last, range.last);
    } else {
      ranges_.push_back(range);
    }
  };
  for (const CodeRange& range : ranges) {
    const bool below = range.first < kSurrogates.first;
    const bool above = range.last > kSurrogates.last;
    if (below) add({range.first, std::min<char32_t>(range.last, kSurrogates.first - 1)});
    if (above) add({std::max<char32_t>(range.first, kSurrogates.last + 1), range.last});
  }
}

CharClass CharClass::All() { return CharClass({{0, kCodeMax}}); }

void CharClass::Add(const CharClass& other) {
  std::vector<CodeRange> both = std::move(ranges_);
  both.insert(both.end(), other.ranges_.begin(), other.ranges_.end());
  *this = CharClass(std::move(both));
}

CharClass CharClass::Negated() const {
  std::vector<CodeRange> gaps;
  char32_t next = 0;
  for (const CodeRange& range : ranges_) {
    if (range.first > next) gaps.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kCodeMax) gaps.push_back({next, kCodeMax});
  return CharClass(std::move(gaps));
}

CharClass CharClass::Without(const CharClass& other) const {
  CharClass outside = Negated();
  outside.Add(other);
  return outside.Negated();
}

bool CharClass::Contains(char32_t code) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [code](const CodeRange& range) {
    return range.first <= code && code <= range.last;
  });
}

const CharClass& UnicodeClass(uint8_t flags) {
  static std::mutex mutex;
  static std::map<uint8_t, CharClass>& made = *new std::map<uint8_t, CharClass>;
  const std::scoped_lock lock(mutex);
  const auto at = made.find(flags);
  return at != made.end() ? at->second : made.emplace(flags, MakeUnicodeClass(flags)).first->second;
}

NodeId AppendChar(Nfa& nfa, NodeId from, const CharClass& chars, TextEncoding encoding) {
  const NodeId to = nfa.AddNode();
  Utf8Speller speller(nfa, from, to);
  if (encoding == TextEncoding::kUtf8) {
    for (const CodeRange& range : chars.ranges()) speller.Add(range);
    return to;
  }
  static const CharClass special({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}});
  const CharClass plain = chars.Without(special);
  for (const CodeRange& range : plain.ranges()) speller.Add(range);
  for (const CodeRange& range : special.ranges()) {
    for (char32_t code = range.first; code <= range.last; ++code) {
      if (chars.Contains(code)) AppendEscape(nfa, from, code, to);
    }
  }
  return to;
}

}  // namespace flashmoe::grammar
