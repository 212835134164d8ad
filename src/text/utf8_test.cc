#include "text/utf8.h"

#include <gtest/gtest.h>

namespace flashmoe {
namespace {

// The Unicode standard, section 3.9, tables 3-8 to 3-11, and Python's
// bytes.decode(errors="replace").
TEST(Utf8, ReplacesEachMaximalPartOfACharacter) {
  struct Case {
    std::string_view bytes, expected;
  };
  const Case cases[] = {
      {"", ""},
      {"plain ASCII, longer than eight bytes", "plain ASCII, longer than eight bytes"},
      {"h\u00e9 \u4f60 \U0001F600", "h\u00e9 \u4f60 \U0001F600"},
      {"\x80", "\uFFFD"},
      {"a\xFF"
       "b",
       "a\uFFFDb"},
      {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDA"},
      {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDA"},
      {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDA\uFFFD\uFFFDB"},
      {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", "\uFFFD\uFFFD\uFFFD\uFFFDA"},
      {"\xF0\x9F\x98", "\uFFFD"},
      {"\xF4\x8F\xBF\xBF\xF4\x90", "\U0010FFFF\uFFFD\uFFFD"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(SanitizeUtf8(c.bytes), c.expected);
    EXPECT_EQ(IsValidUtf8(c.bytes), c.bytes == c.expected);
  }
}

TEST(Utf8, KeepsNulBytes) {
  const std::string_view text("a\0b", 3);
  EXPECT_TRUE(IsValidUtf8(text));
  EXPECT_EQ(SanitizeUtf8(text), text);
}

TEST(Utf8, TellsTruncatedFromInvalid) {
  EXPECT_EQ(DecodeUtf8("\xF0\x9F").kind, Utf8Char::Kind::kTruncated);
  EXPECT_EQ(DecodeUtf8("\xF0\x9F").bytes, 2u);
  EXPECT_EQ(DecodeUtf8("\xF0\x8F").kind, Utf8Char::Kind::kInvalid);
  EXPECT_EQ(DecodeUtf8("\xF0\x8F").bytes, 1u);
  EXPECT_EQ(DecodeUtf8("\xC1").kind, Utf8Char::Kind::kInvalid);
}

TEST(Utf8, EveryScalarValueSurvives) {
  std::string text;
  for (char32_t code = 0; code < 0x110000; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;
    text.clear();
    AppendUtf8(code, text);
    const Utf8Char decoded = DecodeUtf8(text);
    ASSERT_EQ(decoded.kind, Utf8Char::Kind::kValid);
    ASSERT_EQ(decoded.code, code);
    ASSERT_EQ(decoded.bytes, text.size());
  }
}

TEST(Utf8, QuotesForErrorMessages) {
  EXPECT_EQ(QuoteText("a\u00e9"), "'a\u00e9'");
  EXPECT_EQ(QuoteText("\x1b[31m\n\xFF"), "'\\x1b[31m\\x0a\uFFFD'");
  EXPECT_EQ(QuoteText("abcdef", 3), "'abc...'");
}

}  // namespace
}  // namespace flashmoe
