#include "chat/argument_types.h"

#include <gtest/gtest.h>

#include "text/ordered_json.h"

namespace flashmoe {
namespace {

uint32_t TypesOf(const std::string& schema, const std::string& defs = "{}") {
  const std::string text =
      R"({"type": "object", "properties": {"p": )" + schema + R"(}, "$defs": )" + defs + "}";
  return ParameterTypes(*ParseOrderedJson(text), "p");
}

TEST(ParameterTypes, ReadsWhatSchemasSay) {
  EXPECT_EQ(TypesOf(R"({"type": "string"})"), kJsonString);
  EXPECT_EQ(TypesOf(R"({"type": ["integer", "null"]})"), uint32_t{kJsonInteger | kJsonNull});
  EXPECT_EQ(TypesOf(R"({"enum": ["a", 1]})"), uint32_t{kJsonString | kJsonInteger});
  EXPECT_EQ(TypesOf(R"({"const": true})"), kJsonBoolean);
  EXPECT_EQ(TypesOf(R"({"anyOf": [{"type": "array"}, {"type": "null"}]})"),
            uint32_t{kJsonArray | kJsonNull});
  EXPECT_EQ(TypesOf(R"({"oneOf": [{"type": "number"}, {}]})"), uint32_t{kJsonNumber | kJsonString});
  EXPECT_EQ(TypesOf(R"({"allOf": [{"title": "x"}, {"type": "object"}]})"), kJsonObject);
  EXPECT_EQ(TypesOf(R"({"properties": {}})"), kJsonObject);
  EXPECT_EQ(TypesOf("{}"), kJsonAny);
  EXPECT_EQ(TypesOf("true"), kJsonAny);
  EXPECT_EQ(TypesOf(R"({"type": 5})"), kJsonAny);
}

TEST(ParameterTypes, FollowsReferences) {
  EXPECT_EQ(TypesOf(R"({"$ref": "#/$defs/a"})", R"({"a": {"type": "integer"}})"), kJsonInteger);
  EXPECT_EQ(TypesOf(R"({"$ref": "#/$defs/b"})", R"({"a": {"type": "integer"}})"), kJsonAny);
  EXPECT_EQ(TypesOf(R"({"$ref": "#/$defs/a"})", R"({"a": {"$ref": "#/$defs/a"}})"), kJsonAny);
  EXPECT_EQ(TypesOf(R"({"$ref": "elsewhere"})"), kJsonAny);
}

TEST(ParameterTypes, KnowsParametersThatAreNotListed) {
  const auto types = [](const char* schema) {
    return ParameterTypes(*ParseOrderedJson(schema), "q");
  };
  EXPECT_EQ(types(R"({"additionalProperties": {"type": "boolean"}})"), kJsonBoolean);
  EXPECT_EQ(types(R"({"properties": {"p": {"type": "integer"}}})"), kJsonAny);
  EXPECT_EQ(types(R"({"properties": []})"), kJsonAny);
  EXPECT_EQ(types("null"), kJsonAny);
}

TEST(ArgumentJson, KeepsStrings) {
  for (const char* text : {"null", "5", "true", "{}", " a "}) {
    EXPECT_EQ(ArgumentJson(kJsonString, text), "\"" + std::string(text) + "\"");
    EXPECT_EQ(ArgumentJson(kJsonAny, text), "\"" + std::string(text) + "\"");
  }
}

TEST(ArgumentJson, ConvertsByType) {
  EXPECT_EQ(ArgumentJson(kJsonInteger, " 12 "), "12");
  EXPECT_EQ(ArgumentJson(kJsonInteger, "-3"), "-3");
  EXPECT_EQ(ArgumentJson(kJsonInteger, "5.0"), "5.0");
  EXPECT_EQ(ArgumentJson(kJsonInteger, "123456789012345678901234567890"),
            "123456789012345678901234567890");
  EXPECT_EQ(ArgumentJson(kJsonNumber, "1.50"), "1.50");
  EXPECT_EQ(ArgumentJson(kJsonNumber, "7"), "7");
  for (const char* text : {"true", "True", "TRUE"})
    EXPECT_EQ(ArgumentJson(kJsonBoolean, text), "true");
  EXPECT_EQ(ArgumentJson(kJsonBoolean, "False"), "false");
  EXPECT_EQ(ArgumentJson(kJsonObject, "{\"b\": 1,\n \"a\": []}"), "{\"b\": 1,\n \"a\": []}");
  EXPECT_EQ(ArgumentJson(kJsonArray, "[1, \"x\"]"), "[1, \"x\"]");
  EXPECT_EQ(ArgumentJson(kJsonInteger, "null"), "null");
  EXPECT_EQ(ArgumentJson(kJsonObject, "None"), "null");
  EXPECT_EQ(ArgumentJson(kJsonString | kJsonNull, "null"), "null");
  EXPECT_EQ(ArgumentJson(kJsonString | kJsonInteger, "null"), "\"null\"");
  EXPECT_EQ(ArgumentJson(kJsonString | kJsonInteger, "5"), "5");
}

TEST(ArgumentJson, FallsBackToTheString) {
  EXPECT_EQ(ArgumentJson(kJsonInteger, "many"), "\"many\"");
  EXPECT_EQ(ArgumentJson(kJsonInteger, "1.5"), "\"1.5\"");
  EXPECT_EQ(ArgumentJson(kJsonInteger, "1e999"), "\"1e999\"");
  EXPECT_EQ(ArgumentJson(kJsonNumber, "NaN"), "\"NaN\"");
  EXPECT_EQ(ArgumentJson(kJsonBoolean, "yes"), "\"yes\"");
  EXPECT_EQ(ArgumentJson(kJsonObject, "[1]"), "\"[1]\"");
  EXPECT_EQ(ArgumentJson(kJsonObject, "{'a': 1}"), "\"{'a': 1}\"");
  EXPECT_EQ(ArgumentJson(kJsonArray, ""), "\"\"");
  EXPECT_EQ(ArgumentJson(kJsonArray, std::string(1000, '[')), "\"" + std::string(1000, '[') + "\"");
  EXPECT_EQ(ArgumentJson(kJsonNumber, "\xFF\""), "\"\xEF\xBF\xBD\\\"\"");
}

}  // namespace
}  // namespace flashmoe
