// Schemas that are refused, and where the error says it lies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "grammar/testing.h"

namespace flashmoe::grammar {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Case {
  std::string_view schema;
  std::string_view where;
};

const Case kUnsupported[] = {
    {R"({"not":{"type":"string"}})", "/not"},
    {R"({"type":"object","properties":{"a":{"if":{},"then":{}}}})", "/properties/a/if"},
    {R"({"type":"array","uniqueItems":true})", "/uniqueItems"},
    {R"({"type":"array","contains":{"type":"null"}})", "/contains"},
    {R"({"type":"object","properties":{"a/b":{"type":"array","items":{"not":{}}}}})",
     "/properties/a~1b/items/not"},
    {R"({"type":"object","dependentRequired":{"a":["b"]}})", "/dependentRequired"},
    {R"({"anyOf":[{"type":"null"},{"type":"string","format":"color"}]})", "/anyOf/1/format"},
    {R"j({"type":"string","pattern":"(?=a)"})j", "/pattern, position 2"},
    {R"({"type":"string","pattern":"a(a|b){30000}"})", "/pattern"},
    {R"({"type":"number","multipleOf":0.01})", "/multipleOf"},
    {R"({"oneOf":[{"type":"string"},{"maxLength":5}]})", "/oneOf"},
    {R"({"oneOf":[{"type":"integer"},{"type":"number"}]})", "/oneOf"},
    {R"({"$ref":"other.json#/a"})", "/$ref"},
    {R"({"$ref":"#name"})", "/$ref"},
    {R"({"allOf":[{"pattern":"a"},{"pattern":"b"}]})", "/pattern"},
    {R"({"type":"object","properties":{"a":{},"b":{},"c":{}},"minProperties":2})",
     "/minProperties"},
    {R"({"type":"object","properties":{"a":{},"b":{}},"maxProperties":1})", "/maxProperties"},
    {R"({"frobnicate":1})", "/frobnicate"},
    {R"({"enum":[{"a":1}],"minProperties":1})", "/minProperties"},
    {R"({"type":"object","patternProperties":{"^a":{},"b$":{}}})", "/patternProperties/b$"},
    {R"({"type":"object","properties":{"a":{"$id":"x"}}})", "/properties/a/$id"},
    {R"({"type":"string","maxLength":1000000})", "/maxLength"},
    {R"({"$defs":{"a":{"allOf":[{"$ref":"#/$defs/a"}],"minLength":1}},"$ref":"#/$defs/a"})",
     "/$defs/a/allOf/0"},
};

const Case kMalformed[] = {
    {R"(5)", ""},
    {R"({"type":"strin"})", "/type"},
    {R"({"type":7})", "/type"},
    {R"({"properties":{"a":{"type":["null","x"]}}})", "/properties/a/type"},
    {R"({"type":"object","properties":[]})", "/properties"},
    {R"({"type":"object","properties":{"a":5}})", "/properties/a"},
    {R"({"type":"object","required":"a"})", "/required"},
    {R"({"type":"array","items":[{}]})", "/items"},
    {R"({"type":"array","minItems":-1})", "/minItems"},
    {R"({"type":"array","minItems":3,"maxItems":2})", "/minItems"},
    {R"({"type":"string","minLength":1.5})", "/minLength"},
    {R"({"type":"string","minLength":3,"maxLength":2})", "/minLength"},
    {R"j({"type":"string","pattern":"("})j", "/pattern, position 0"},
    {R"({"type":"string","pattern":5})", "/pattern"},
    {R"({"type":"number","minimum":"1"})", "/minimum"},
    {R"({"type":"integer","multipleOf":0})", "/multipleOf"},
    {R"({"anyOf":[]})", "/anyOf"},
    {R"({"allOf":{}})", "/allOf"},
    {R"({"enum":5})", "/enum"},
    {R"({"$ref":"#/$defs/none"})", "/$ref"},
    {R"({"$ref":5})", "/$ref"},
    {R"({"type":"array","items":{"$ref":"#/items/~2"}})", "/items/$ref"},
};

Error ErrorOf(std::string_view schema) {
  const auto grammar = CompileJsonSchema(ParseJson(schema));
  EXPECT_FALSE(grammar.has_value()) << schema;
  return grammar.has_value() ? Error{} : grammar.error();
}

TEST(SchemaErrors, UnsupportedKeywordsAreNamedByPointer) {
  for (const Case& c : kUnsupported) {
    const Error error = ErrorOf(c.schema);
    EXPECT_EQ(error.code, ErrorCode::kUnsupported) << c.schema << error.ToString();
    EXPECT_EQ(error.where, c.where) << c.schema << error.ToString();
  }
}

TEST(SchemaErrors, MalformedSchemasAreNamedByPointer) {
  for (const Case& c : kMalformed) {
    const Error error = ErrorOf(c.schema);
    EXPECT_EQ(error.code, ErrorCode::kInvalidInput) << c.schema << error.ToString();
    EXPECT_EQ(error.where, c.where) << c.schema << error.ToString();
  }
}

TEST(SchemaErrors, ContradictionsHaveNoText) {
  for (const char* schema :
       {"false", R"({"$ref":"#"})", R"({"enum":[]})", R"({"type":"string","enum":[1]})",
        R"({"allOf":[{"type":"string"},{"type":"null"}]})",
        R"({"allOf":[{"const":1},{"const":2}]})",
        R"({"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]})",
        R"({"type":"integer","minimum":2,"maximum":1})",
        R"({"type":"integer","minimum":1.2,"maximum":1.8})",
        R"({"type":"object","required":["a"],"additionalProperties":false})",
        R"({"type":"string","pattern":"^a{5}$","maxLength":3})"}) {
    const Error error = ErrorOf(schema);
    EXPECT_EQ(error.code, ErrorCode::kInvalidInput) << schema;
    EXPECT_THAT(error.what, HasSubstr("nothing can satisfy")) << schema;
  }
}

TEST(SchemaErrors, LenientDropsWhatItCannotKeep) {
  const auto grammar = CompileJsonSchema(ParseJson(R"({"type":"object","properties":{
          "a":{"type":"array","items":{"type":"integer"},"uniqueItems":true},
          "b":{"type":"string","pattern":"(?=x)y","maxLength":2},
          "c":{"oneOf":[{"type":"integer"},{"type":"number"}]},
          "d":{"type":"string","format":"color"},
          "e":{"not":{"type":"null"}}}})"),
                                         {.lenient = true});
  ASSERT_TRUE(grammar.has_value()) << grammar.error().ToString();
  EXPECT_TRUE(Accepts(*grammar, R"({"a":[1,1],"b":"zz","c":1.5,"d":"red","e":5})"));
  EXPECT_FALSE(Accepts(*grammar, R"({"b":"zzz"})"));
  EXPECT_THAT(DroppedConstraints(**grammar),
              ElementsAre("/properties/a/uniqueItems", "/properties/b/pattern",
                          "/properties/c/oneOf", "/properties/d/format", "/properties/e/not"));
  const auto merged = CompileJsonSchema(
      ParseJson(
          R"({"allOf":[{"pattern":"^a","not":{}},{"pattern":"b","maxLength":2,"not":true}]})"),
      {.lenient = true});
  ASSERT_TRUE(merged.has_value()) << merged.error().ToString();
  EXPECT_TRUE(Accepts(*merged, R"("ac")"));
  EXPECT_FALSE(Accepts(*merged, R"("acc")"));
  EXPECT_FALSE(CompileJsonSchema(ParseJson(R"({"type":"strin"})"), {.lenient = true}).has_value());
}

TEST(SchemaErrors, LimitsHold) {
  // Nested too deeply, too large, too many states, too many alternatives.
  std::string deep = "true";
  for (int i = 0; i < 80; ++i) deep = R"({"type":"array","items":)" + deep + "}";
  EXPECT_THAT(ErrorOf(deep).what, HasSubstr("nested more than 64 deep"));
  EXPECT_THAT(ErrorOf(R"({"title":")" + std::string(2 << 20, 'x') + "\"}").what,
              HasSubstr("larger than 1048576 bytes"));
  EXPECT_THAT(ErrorOf(R"({"type":"array","items":{},"minItems":5000000})").what,
              HasSubstr("more than 262144 states"));
  // Each definition doubles what the one before it holds.
  std::string defs = R"({"$ref":"#/$defs/d40","$defs":{"d0":{"type":"null"})";
  for (int i = 1; i <= 40; ++i) {
    const std::string last = "{\"$ref\":\"#/$defs/d" + std::to_string(i - 1) + "\"}";
    defs += ",\"d" + std::to_string(i) + R"(":{"allOf":[{"minimum":0},{"anyOf":[)" + last + "," +
            last + "]}]}";
  }
  EXPECT_EQ(ErrorOf(defs + "}}").code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace flashmoe::grammar
