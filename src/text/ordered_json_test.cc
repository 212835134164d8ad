#include "text/ordered_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flashmoe {
namespace {

using testing::HasSubstr;

TEST(ParseOrderedJson, KeepsTheOrder) {
  const char* text = R"({"b":[1,-2,0.5,true,null,"\u00e9"],"a":{"d":{},"c":[]}})";
  const auto json = ParseOrderedJson(text);
  ASSERT_TRUE(json.has_value());
  EXPECT_EQ(DumpJson(*json), "{\"b\":[1,-2,0.5,true,null,\"\xC3\xA9\"],\"a\":{\"d\":{},\"c\":[]}}");
  EXPECT_EQ(DumpJson(*ParseOrderedJson(" 5 ")), "5");
}

std::string ErrorOf(std::string_view text, const JsonLimits& limits = {}) {
  const auto json = ParseOrderedJson(text, limits);
  return json.has_value() ? "none" : json.error().ToString();
}

TEST(ParseOrderedJson, SaysWhatIsWrong) {
  EXPECT_THAT(ErrorOf("{\"a\": }"), HasSubstr("malformed JSON at byte 7"));
  EXPECT_THAT(ErrorOf(""), HasSubstr("malformed JSON"));
  EXPECT_THAT(ErrorOf("[1] 2"), HasSubstr("malformed JSON"));
  EXPECT_THAT(ErrorOf("\"\xFF\""), HasSubstr("malformed JSON"));
  EXPECT_THAT(ErrorOf("1e999"), HasSubstr("malformed JSON"));
  EXPECT_THAT(ErrorOf(std::string("3\0004", 3)), HasSubstr("at byte 1: a NUL"));
  EXPECT_THAT(ErrorOf(R"({"a": 1, "b": {"a": 2}, "a": 3})"), HasSubstr("'a' is there twice"));
}

TEST(ParseOrderedJson, KeepsItsLimits) {
  const JsonLimits limits{.bytes = 20, .values = 4, .depth = 2};
  EXPECT_EQ(ErrorOf("[[1,2]]", limits), "none");
  EXPECT_THAT(ErrorOf("[[[1]]]", limits), HasSubstr("nested more than 2 deep"));
  EXPECT_THAT(ErrorOf("[1,2,3,4]", limits), HasSubstr("more than 4 values"));
  EXPECT_THAT(ErrorOf("\"123456789012345678901\"", limits), HasSubstr("at most 20 are read"));
  EXPECT_THAT(ErrorOf(std::string(100'000, '[')), HasSubstr("nested more than 64 deep"));
}

TEST(ParseOrderedJson, TakesLargeObjectsInLinearTime) {
  std::string text = "{";
  for (int i = 0; i < 100'000; ++i) text += "\"k" + std::to_string(i) + "\":0,";
  text.back() = '}';
  const auto json = ParseOrderedJson(text);
  ASSERT_TRUE(json.has_value());
  EXPECT_EQ(json->size(), 100'000u);
}

TEST(DumpJson, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(DumpJson("a\xFF"
                     "b"),
            "\"a\xEF\xBF\xBD"
            "b\"");
  EXPECT_EQ(EscapeJson("a\"\n\\\x01"), "a\\\"\\n\\\\\\u0001");
  EXPECT_EQ(EscapeJson(""), "");
}

}  // namespace
}  // namespace flashmoe
