#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "grammar/testing.h"

namespace flashmoe::grammar {
namespace {

using testing::HasSubstr;

std::shared_ptr<const Grammar> Compile(std::string_view pattern) {
  const auto grammar = CompileRegex(pattern);
  EXPECT_TRUE(grammar.has_value()) << pattern << ": " << grammar.error().ToString();
  return grammar.has_value() ? *grammar : nullptr;
}

struct Case {
  std::string_view pattern;
  std::vector<std::string_view> accepted, rejected;
};

const Case kCases[] = {
    {"abc", {"abc"}, {"", "ab", "abcd", "xabc"}},
    {"a|bc|", {"a", "bc", ""}, {"b", "abc"}},
    {"a*", {"", "a", "aaaa"}, {"b", "ab"}},
    {"(ab)+c?", {"ab", "abab", "abc"}, {"", "abcc", "aab"}},
    {"a{3}", {"aaa"}, {"aa", "aaaa"}},
    {"a{2,}", {"aa", "aaaaa"}, {"a", ""}},
    {"a{1,3}?b", {"ab", "aaab"}, {"b", "aaaab"}},
    {"(?:x|y){0,2}", {"", "x", "yx"}, {"xyx"}},
    {"(?<year>[0-9]{4})", {"2026"}, {"202", "20261"}},
    {"[a-cx-]", {"a", "c", "x", "-"}, {"d", "ab", ""}},
    {"[^a-c]", {"d", "\n", "\xc3\xa9", "\xf0\x9f\x98\x80"}, {"a", "\xc3", "\xff"}},
    {".", {"a", "\xe2\x82\xac"}, {"\n", "\r", "", "ab", "\xe2\x80\xa8"}},
    {"\\d\\w\\s", {"1_ ", "9z\t", "0A\xc2\xa0"}, {"a_ ", "1- ", "1__"}},
    {"\\D\\W\\S", {"a-b", "\xc3\xa9\xc3\xa9\xc3\xa9"}, {"1-b", "a_b", "a- "}},
    {"[\\d\\s]+", {"1 2"}, {"a"}},
    {"\\x41\\u0042\\u{1F600}\\n\\t\\.", {"AB\xf0\x9f\x98\x80\n\t."}, {"AB"}},
    {"\\ud83d\\ude00", {"\xf0\x9f\x98\x80"}, {"\xf0\x9f\x98\x81"}},
    {"[\\u00e9-\\u00eb]", {"\xc3\xa9", "\xc3\xab"}, {"\xc3\xa8", "\xc3\xac", "\xc3"}},
    {"[\\u{80}-\\u{10ffff}]",
     {"\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xf4\x8f\xbf\xbf"},
     {"a", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\x80", "\xe0\x80\x80"}},
    {"\\p{L}+", {"abc", "\xc3\xa9\xe4\xbd\xa0"}, {"1", "a1", ""}},
    {"\\P{L}", {"1", "-"}, {"a", "\xc3\xa9"}},
    {"[\\p{N}x]", {"5", "x", "\xc2\xbd"}, {"y"}},
    {"^abc$", {"abc"}, {"ab", "abcd"}},
    {"(^a|b)c", {"ac", "bc"}, {"c"}},
    {"a$|b", {"a", "b"}, {"ab"}},
    {"[]a", {}, {"a", "]a"}},
    {"(a|b)*abb", {"abb", "aabb", "babb"}, {"ab", "abba"}},
    {"(a*)*b", {"b", "aab"}, {"a", ""}},
    {"\\cJ", {"\n"}, {"J"}},
    {"[\\b]", {"\b"}, {"b"}},
    {"\\/\\-\\$", {"/-$"}, {""}},
};

TEST(Regex, TextsAreAcceptedOrRejected) {
  for (const Case& c : kCases) {
    const auto grammar = CompileRegex(c.pattern);
    if (c.accepted.empty()) {
      EXPECT_FALSE(grammar.has_value()) << c.pattern;
      continue;
    }
    ASSERT_TRUE(grammar.has_value()) << c.pattern << ": " << grammar.error().ToString();
    for (const std::string_view text : c.accepted) {
      EXPECT_TRUE(Accepts(*grammar, text)) << c.pattern << " should accept " << QuoteText(text);
    }
    for (const std::string_view text : c.rejected) {
      EXPECT_FALSE(Accepts(*grammar, text)) << c.pattern << " should reject " << QuoteText(text);
    }
  }
}

// Every code point, by a class and by its bytes.
TEST(Regex, ClassesHoldExactlyTheirCharacters) {
  const auto grammar = Compile(
      "[\\u{7f}-\\u{81}\\u{7fe}-\\u{802}\\u{fff}-\\u{2003}\\u{ffef}-"
      "\\u{10002}\\u{3ffff}-\\u{40101}]");
  const auto is_in = [](char32_t c) {
    const std::pair<char32_t, char32_t> ranges[] = {
        {0x7f, 0x81}, {0x7fe, 0x802}, {0xfff, 0x2003}, {0xffef, 0x10002}, {0x3ffff, 0x40101}};
    return std::any_of(std::begin(ranges), std::end(ranges),
                       [c](auto r) { return r.first <= c && c <= r.second; });
  };
  for (char32_t code = 0; code <= 0x50000; ++code) {
    if (code >= 0xD800 && code <= 0xDFFF) continue;
    std::string text;
    AppendUtf8(code, text);
    ASSERT_EQ(Accepts(grammar, text), is_in(code)) << std::hex << static_cast<uint32_t>(code);
  }
}

TEST(Regex, WhatIsAllowedCanBeCompleted) {
  const auto grammar = Compile("ab[^\\s\\S]|ac");  // the first way leads nowhere
  EXPECT_TRUE(AcceptsPrefix(grammar, "a"));
  EXPECT_FALSE(AcceptsPrefix(grammar, "ab"));
  EXPECT_FALSE(CompileRegex("a[^\\s\\S]").has_value());
}

struct BadCase {
  std::string_view pattern;
  ErrorCode code;
  std::string_view where;
};

TEST(Regex, ErrorsNameThePosition) {
  const BadCase cases[] = {
      {"a(?=b)", ErrorCode::kUnsupported, "position 3"},
      {"a(?!b)", ErrorCode::kUnsupported, "position 3"},
      {"(?<=a)b", ErrorCode::kUnsupported, "position 3"},
      {"(?i)b", ErrorCode::kUnsupported, "position 2"},
      {"(a)\\1", ErrorCode::kUnsupported, "position 5"},
      {"a\\b", ErrorCode::kUnsupported, "position 3"},
      {"\\p{Greek}", ErrorCode::kUnsupported, "position 0"},
      {"ab(c", ErrorCode::kInvalidInput, "position 2"},
      {"ab)c", ErrorCode::kInvalidInput, "position 2"},
      {"*a", ErrorCode::kInvalidInput, "position 0"},
      {"a**", ErrorCode::kInvalidInput, "position 2"},
      {"a{x}", ErrorCode::kInvalidInput, "position 1"},
      {"a{3,2}", ErrorCode::kInvalidInput, "position 1"},
      {"[z-a]", ErrorCode::kInvalidInput, "position 1"},
      {"x[ab", ErrorCode::kInvalidInput, "position 1"},
      {"a\\", ErrorCode::kInvalidInput, "position 1"},
      {"\\q", ErrorCode::kInvalidInput, "position 0"},
      {"\\u{110000}", ErrorCode::kInvalidInput, "position 0"},
      {"\\ud800", ErrorCode::kInvalidInput, "position 0"},
      {"^*", ErrorCode::kInvalidInput, "position 1"},
      {"a{9999999}", ErrorCode::kInvalidInput, "position 1"},
  };
  for (const BadCase& c : cases) {
    const auto grammar = CompileRegex(c.pattern);
    ASSERT_FALSE(grammar.has_value()) << c.pattern;
    EXPECT_EQ(grammar.error().code, c.code) << c.pattern;
    EXPECT_EQ(grammar.error().where, c.where) << c.pattern << grammar.error().ToString();
  }
}

TEST(Regex, LimitsHold) {
  for (const char* pattern : {"a{100000}", "(a|b)*a(a|b){20}", "((((a{90}){90}){90}){90}){90}",
                              "(){999999}((((){999999}){999999}){999999})", "(\\p{L}{99}){99}"}) {
    const auto grammar = CompileRegex(pattern);
    ASSERT_FALSE(grammar.has_value()) << pattern;
    EXPECT_THAT(grammar.error().what, HasSubstr("more than 32768 states")) << pattern;
  }
  EXPECT_FALSE(CompileRegex(std::string(200, '(') + std::string(200, ')')).has_value());
  EXPECT_FALSE(CompileRegex(std::string(1 << 20, 'a')).has_value());
  EXPECT_FALSE(CompileRegex("\xff").has_value());
}

TEST(Regex, ThinkingComesFirst) {
  const auto open = CompileRegex("yes|no", {.thinking = ThinkingBlock::kOpen});
  ASSERT_TRUE(open.has_value());
  EXPECT_TRUE(Accepts(*open, "hm < </think\n</think>\n\nyes"));
  EXPECT_TRUE(Accepts(*open, "</think>no"));
  EXPECT_FALSE(Accepts(*open, "yes"));
  EXPECT_FALSE(Accepts(*open, "a</think>b</think>yes"));
  const auto optional = CompileRegex("yes|no", {.thinking = ThinkingBlock::kOptional});
  ASSERT_TRUE(optional.has_value());
  EXPECT_TRUE(Accepts(*optional, "yes"));
  EXPECT_TRUE(Accepts(*optional, "<think>\nyes no\n</think>\n\nyes"));
  EXPECT_FALSE(Accepts(*optional, "hm</think>yes"));
}

}  // namespace
}  // namespace flashmoe::grammar
