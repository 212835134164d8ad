#include "text/unicode_tables.h"

#include <gtest/gtest.h>

namespace flashmoe {
namespace {

int CountOf(uint8_t flag) {
  int count = 0;
  for (char32_t code = 0; code < 0x110000; ++code) count += (CodeFlagsOf(code) & flag) != 0;
  return count;
}

// What the reference matches, counted by running its patterns over every code point.
TEST(UnicodeTables, ClassesAreAsLargeAsTheReferences) {
  EXPECT_EQ(CountOf(kCodeLetter), 141028);
  EXPECT_EQ(CountOf(kCodeMark), 2501);
  EXPECT_EQ(CountOf(kCodeNumber), 1911);
  EXPECT_EQ(CountOf(kCodeSpace), 25);
  EXPECT_EQ(CountOf(kCodeWord), 144667);
}

TEST(UnicodeTables, KnowsSingleCharacters) {
  EXPECT_EQ(CodeFlagsOf('a'), kCodeLetter | kCodeWord);
  EXPECT_EQ(CodeFlagsOf('7'), kCodeNumber | kCodeWord);
  EXPECT_EQ(CodeFlagsOf('_'), kCodeWord);
  EXPECT_EQ(CodeFlagsOf('!'), 0);
  EXPECT_EQ(CodeFlagsOf(' '), kCodeSpace);
  EXPECT_EQ(CodeFlagsOf(0x85), kCodeSpace);
  EXPECT_EQ(CodeFlagsOf(0x180E), 0);  // a space before Unicode 6.3
  EXPECT_EQ(CodeFlagsOf(0xFEFF), 0);  // a space to JavaScript
  EXPECT_EQ(CodeFlagsOf(0x4E00), kCodeLetter | kCodeWord);
  EXPECT_EQ(CodeFlagsOf(0x301), kCodeMark | kCodeWord | kCodeNfcUnstable);
  EXPECT_EQ(CodeFlagsOf(0x10D4A), kCodeLetter | kCodeWord);  // Garay, of Unicode 16
  EXPECT_EQ(CodeFlagsOf(0x323AF), kCodeLetter | kCodeWord);
  EXPECT_EQ(CodeFlagsOf(0x323B0), 0);
}

TEST(UnicodeTables, NothingBeyondTheLastCodePoint) {
  EXPECT_EQ(CodeFlagsOf(0x10FFFF), 0);
  EXPECT_EQ(CodeFlagsOf(0x110000), 0);
  EXPECT_EQ(CodeFlagsOf(0xFFFFFFFF), 0);
}

}  // namespace
}  // namespace flashmoe
