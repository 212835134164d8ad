#include "format/utf8.h"

#include <gtest/gtest.h>

namespace flashmoe {
namespace {

TEST(Utf8, TellsWellFormedText) {
  for (const char* good : {"", "a", "plain ascii of some length", "é", "中", "\U0001F600",
                           "\xEF\xBF\xBF", "12345678é", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(IsUtf8(good)) << good;
  }
  for (const char* bad : {"\x80", "\xC0\xAF", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80",
                          "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF",
                          "\xE4\xB8", "\xC3", "12345678\xFF", "\xE4\xB8\x41", "\xF0\x9F\x98\x41"}) {
    EXPECT_FALSE(IsUtf8(bad)) << Quoted(bad);
  }
}

TEST(Utf8, ReplacesEachBadByteAndKeepsTheRest) {
  EXPECT_EQ(ReplaceInvalidUtf8("a\xFFé\xC3"), "a\xEF\xBF\xBDé\xEF\xBF\xBD");
  EXPECT_EQ(ReplaceInvalidUtf8("中文"), "中文");
  EXPECT_TRUE(IsUtf8(ReplaceInvalidUtf8("\xE4\xB8\xED\xA0\x80")));
}

TEST(Utf8, QuotesNothingThatSteersATerminal) {
  EXPECT_EQ(Quoted("blk.0é"), "\"blk.0é\"");
  EXPECT_EQ(Quoted("\x1b[31m\n\x7f\xFF"), "\"\\x1b[31m\\x0a\\x7f\\xff\"");
  EXPECT_EQ(Quoted("\xC2\x9B"), "\"\\xc2\\x9b\"");
  const std::string shortened = Quoted(std::string(5000, 'x'));
  EXPECT_LT(shortened.size(), 130u);
  EXPECT_TRUE(shortened.ends_with("...\""));
}

}  // namespace
}  // namespace flashmoe
