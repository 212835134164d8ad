#include "text/added_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace flashmoe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

AddedTokenMatcher Matcher(const std::vector<TokenizerSpec::Added>& tokens) {
  AddedTokenMatcher matcher;
  for (const TokenizerSpec::Added& token : tokens) matcher.Add(token);
  return matcher;
}

// "text" for plain spans, "id:text" for tokens.
std::vector<std::string> Split(const AddedTokenMatcher& matcher, std::string_view text) {
  std::vector<std::string> out;
  for (const AddedTokenMatcher::Span& span : matcher.Split(text)) {
    const std::string part(text.substr(span.begin, span.end - span.begin));
    out.push_back(span.id < 0 ? part : std::to_string(span.id) + ":" + part);
  }
  return out;
}

TEST(AddedTokens, SplitsFromLeftToRight) {
  const auto matcher = Matcher({{.id = 1, .text = "<a>"}, {.id = 2, .text = "<b>"}});
  EXPECT_THAT(Split(matcher, ""), IsEmpty());
  EXPECT_THAT(Split(matcher, "plain"), ElementsAre("plain"));
  EXPECT_THAT(Split(matcher, "<a>"), ElementsAre("1:<a>"));
  EXPECT_THAT(Split(matcher, "x<a><b>y<<a"), ElementsAre("x", "1:<a>", "2:<b>", "y<<a"));
}

TEST(AddedTokens, TheLongestAtTheEarliestPlace) {
  const auto matcher = Matcher({{.id = 1, .text = "ab"},
                                {.id = 2, .text = "abcd"},
                                {.id = 3, .text = "bcdefg"},
                                {.id = 4, .text = "c"}});
  EXPECT_THAT(Split(matcher, "abcdefg"), ElementsAre("2:abcd", "efg"));
  EXPECT_THAT(Split(matcher, "abc"), ElementsAre("1:ab", "4:c"));
}

TEST(AddedTokens, StripsSwallowWhiteSpace) {
  const auto matcher = Matcher({{.id = 1, .text = "<l>", .lstrip = true},
                                {.id = 2, .text = "<r>", .rstrip = true},
                                {.id = 3, .text = "<n>"}});
  EXPECT_THAT(Split(matcher, "a \u3000<l> b"), ElementsAre("a", "1: \u3000<l>", " b"));
  EXPECT_THAT(Split(matcher, "a <r> \n b"), ElementsAre("a ", "2:<r> \n ", "b"));
  EXPECT_THAT(Split(matcher, "<r>  <l>"), ElementsAre("2:<r>  ", "1:<l>"));
  EXPECT_THAT(Split(matcher, "<n> <n>"), ElementsAre("3:<n>", " ", "3:<n>"));
  EXPECT_THAT(Split(matcher, "<r>"), ElementsAre("2:<r>"));
}

TEST(AddedTokens, SingleWordsTouchNoWordCharacter) {
  const auto matcher = Matcher({{.id = 1, .text = "word", .single_word = true}});
  EXPECT_THAT(Split(matcher, "word"), ElementsAre("1:word"));
  EXPECT_THAT(Split(matcher, "a word."), ElementsAre("a ", "1:word", "."));
  for (const char* text : {"words", "sword", "_word", "word7", "word\u0301", "\u4f60word"}) {
    EXPECT_THAT(Split(matcher, text), ElementsAre(text));
  }
}

TEST(AddedTokens, TokensOfSpacesTakeLinearTime) {
  const auto matcher = Matcher({{.id = 1, .text = " ", .lstrip = true, .rstrip = true}});
  EXPECT_EQ(matcher.Split(std::string(300'000, ' ')).size(), 300'000u);
}

}  // namespace
}  // namespace flashmoe
