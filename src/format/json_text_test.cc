#include "format/json_text.h"

#include <gmock/gmock.h>

#include "format/test_support.h"

namespace flashmoe {
namespace {

using testing::HasSubstr;

TEST(JsonText, ParsesWhatNlohmannParses) {
  const std::string text =
      R"({"a": [1, -2, 3.5, "x", true, null, {}], "b": {"c": {"d": []}},)"
      R"( "": 18446744073709551615})";
  const auto parsed = ParseJsonObject(text, "config.json");
  ASSERT_TRUE(parsed.has_value()) << ErrorOf(parsed);
  EXPECT_EQ(*parsed, nlohmann::json::parse(text));
}

TEST(JsonText, SaysWhereAndWhy) {
  const auto error = [](std::string_view text) { return ErrorOf(ParseJsonObject(text, "c.json")); };
  EXPECT_THAT(error(""), HasSubstr("malformed JSON at byte"));
  EXPECT_THAT(error("{"), HasSubstr("(c.json)"));
  EXPECT_THAT(error("[1]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(error("17"), HasSubstr("not a JSON object"));
  EXPECT_THAT(error(R"({"a": 1, "a": 2})"), HasSubstr(R"(the key "a" is there twice)"));
  EXPECT_THAT(error(R"({"a": 1e999})"), HasSubstr("malformed JSON"));
  EXPECT_THAT(error(std::string_view("{}\0?", 4)), HasSubstr("at byte 2: a NUL"));
  EXPECT_THAT(error("{\"a\": \"\xFF\"}"), HasSubstr("malformed JSON"));
  EXPECT_THAT(error(R"({"a": 1} x)"), HasSubstr("malformed JSON"));
  EXPECT_LT(error("{" + std::string(100000, 'x')).size(), 500u);
}

TEST(JsonText, BoundsNesting) {
  const auto nested = [](int depth) {
    return R"({"a":)" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
  };
  EXPECT_TRUE(ParseJsonObject(nested(kJsonDepthMax), "").has_value());
  EXPECT_THAT(ErrorOf(ParseJsonObject(nested(kJsonDepthMax + 1), "")), HasSubstr("nested more"));
  EXPECT_FALSE(ParseJsonObject(nested(1'000'000), "").has_value());
}

TEST(JsonText, ReadsFilesWithinTheirLimit) {
  TestFolder folder;
  const std::string path = folder.Write("a.json", "12345");
  EXPECT_EQ(ReadTextFile(path, 5).value_or("?"), "12345");
  EXPECT_THAT(ErrorOf(ReadTextFile(path, 4)), HasSubstr("too large"));
  EXPECT_EQ(ReadTextFile(folder.File("none"), 5).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(ReadTextFileIfAny(folder.File("none"), 5).value_or("?"), "");
  EXPECT_FALSE(ReadTextFileIfAny(folder.path(), 5).has_value());
}

}  // namespace
}  // namespace flashmoe
