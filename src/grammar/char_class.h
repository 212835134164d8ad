// Sets of characters, and the bytes that spell them.
#pragma once

#include <cstdint>
#include <vector>

#include "grammar/nfa.h"

namespace flashmoe::grammar {

inline constexpr char32_t kCodeMax = 0x10FFFF;

struct CodeRange {
  char32_t first = 0, last = 0;
  bool operator==(const CodeRange&) const = default;
};

// Sorted, disjoint, not adjacent; surrogates (which no text holds) are never in it.
class CharClass {
 public:
  CharClass() = default;
  explicit CharClass(std::vector<CodeRange> ranges);

  static CharClass All();
  void Add(const CharClass& other);
  CharClass Negated() const;
  CharClass Without(const CharClass& other) const;

  const std::vector<CodeRange>& ranges() const { return ranges_; }
  bool Contains(char32_t code) const;

 private:
  std::vector<CodeRange> ranges_;
};

// The code points whose flags (text/unicode_tables.h) hold one of these.
const CharClass& UnicodeClass(uint8_t flags);

enum class TextEncoding {
  kUtf8,
  // Within a JSON string: quotes, backslashes and control characters escaped in the shortest way,
  // everything else as it is.
  kJsonString,
};

// One character of the class.
NodeId AppendChar(Nfa& nfa, NodeId from, const CharClass& chars, TextEncoding encoding);

}  // namespace flashmoe::grammar
