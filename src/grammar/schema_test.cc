// Schemas with texts that they allow and texts that they do not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "grammar/testing.h"

namespace flashmoe::grammar {
namespace {

struct Case {
  std::string_view schema;
  std::vector<std::string_view> accepted, rejected;
};

const Case kScalars[] = {
    {R"({"type":"null"})", {"null"}, {"nul", "true", ""}},
    {R"({"type":"boolean"})", {"true", "false"}, {"True", "0"}},
    {R"({"type":"string"})",
     {R"("")", R"("a\n\"\\\/\u00e9\ud83d\ude00é😀")"},
     {R"(")", R"("a)", "\"\n\"", R"("\x")", R"("\ud83d")", R"("\ude00")", "\"\xff\"", R"('a')"}},
    {R"({"type":"integer"})",
     {"0", "-0", "17", "-5", "123456789012345678"},
     {"01", "1.0", "1e3", "+1", "-", "1234567890123456789"}},
    {R"({"type":"number"})",
     {"0", "-1.5", "1e5", "2.5E-3", "0.001", "1e+10"},
     {".5", "1.", "01", "1e", "NaN", "1e100"}},
    {R"({"type":["string","null"]})", {R"("a")", "null"}, {"1"}},
    {R"({"type":["integer","number"]})", {"1", "1.5"}, {R"("1")"}},
    {R"({"enum":["a","b\"c",1,null,true,[1,2],{"x":1}]})",
     {R"("a")", R"("b\"c")", "1", "null", "true", "[1, 2]", R"({"x": 1})", "[1,2]"},
     {R"("c")", "2", "false", "[2,1]", "[1]"}},
    {R"({"const":"ok"})", {R"("ok")"}, {R"("o")", R"("okk")"}},
    {R"({"type":"string","enum":["a",1,"b"]})", {R"("a")", R"("b")"}, {"1"}},
    {R"({"type":"string","enum":["a","abc"],"minLength":2})", {R"("abc")"}, {R"("a")"}},
    {R"({"type":"integer","enum":[1,5,9],"maximum":6,"minimum":2})", {"5"}, {"1", "9"}},
    {R"({"enum":[1,2,3],"const":2})", {"2"}, {"1", "3"}},
    {R"({"type":"string","minLength":2,"maxLength":3})",
     {R"("ab")", R"("abc")", R"("é😀")", R"("\"\n")"},
     {R"("a")", R"("abcd")", R"("")"}},
    {R"({"type":"string","minLength":2})", {R"("ab")", R"("abcdefgh")"}, {R"("a")"}},
    {R"({"type":"string","maxLength":0})", {R"("")"}, {R"("a")"}},
    {R"({"type":"string","pattern":"^[A-Z]{2}[0-9]+$"})", {R"("AB1")"}, {R"("A1")", R"("AB1x")"}},
    {R"({"type":"string","pattern":"b+"})", {R"("abbc")", R"("b")"}, {R"("ac")", R"("")"}},
    {R"({"type":"string","pattern":"^a|b$"})", {R"("ax")", R"("xb")"}, {R"("xa")", R"("bx")"}},
    {R"({"type":"string","pattern":"^\"\\\\/\n$"})", {R"("\"\\/\n")"}, {R"(""\/")"}},
    {R"({"type":"string","pattern":"^[\\s\\S]$"})",
     {R"("\u001f")", R"("\t")", R"("é")"},
     {R"("")"}},
    {R"({"type":"string","pattern":"^a*$","maxLength":2})", {R"("aa")", R"("")"}, {R"("aaa")"}},
    {R"({"type":"string","format":"date"})",
     {R"("2024-02-29")", R"("1900-12-31")", R"("2000-02-29")"},
     {R"("2023-02-29")", R"("1900-02-29")", R"("2024-13-01")", R"("2024-04-31")"}},
    {R"({"type":"string","format":"time"})",
     {R"("23:59:59Z")", R"("01:02:03.5+01:00")"},
     {R"("24:00:00Z")", R"("01:02Z")", R"("01:02:03")"}},
    {R"({"type":"string","format":"date-time"})",
     {R"("2026-11-26T10:00:00Z")"},
     {R"("2026-11-26 10:00:00Z")", R"("2026-11-26")"}},
    {R"({"type":"string","format":"uuid"})",
     {R"("123e4567-e89b-12d3-a456-426614174000")"},
     {R"("123e4567e89b12d3a456426614174000")"}},
    {R"({"type":"string","format":"email"})", {R"("a.b@x.org")"}, {R"("a@b")", R"("@x.org")"}},
    {R"({"type":"string","format":"ipv4"})", {R"("255.0.10.1")"}, {R"("256.0.0.1")", R"("1.2.3")"}},
    {R"({"type":"string","format":"ipv6"})",
     {R"("::")", R"("::1")", R"("fe80::a:1")", R"("1:2:3:4:5:6:7:8")", R"("1::")"},
     {R"("1:2")", R"("1::2::3")", R"("1:2:3:4:5:6:7:8:9")"}},
    {R"({"type":"string","format":"duration"})",
     {R"("P1DT2H")", R"("PT5M")", R"("P3W")"},
     {R"("P")", R"("PT")", R"("1D")"}},
};

const Case kNumbers[] = {
    {R"({"type":"integer","minimum":1,"maximum":120})",
     {"1", "9", "99", "120"},
     {"0", "121", "-1", "1000", "01"}},
    {R"({"type":"integer","minimum":-5,"maximum":5})", {"-5", "0", "5"}, {"-6", "6", "-0"}},
    {R"({"type":"integer","exclusiveMinimum":0})", {"1", "10"}, {"0", "-1"}},
    {R"({"type":"integer","exclusiveMaximum":-9})", {"-10", "-11", "-100"}, {"-9", "0", "10"}},
    {R"({"type":"integer","minimum":1.5,"maximum":3.5})", {"2", "3"}, {"1", "4"}},
    {R"({"type":"integer","multipleOf":7,"minimum":0})", {"0", "7", "14", "700"}, {"1", "15"}},
    {R"({"type":"number","minimum":0,"maximum":1})",
     {"0", "0.5", "1", "1.0", "0.999", "1.00"},
     {"1.01", "-0.1", "2", "1.001"}},
    {R"({"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1})",
     {"0.5", "0.001", "0.99"},
     {"0", "0.0", "1", "1.0"}},
    {R"({"type":"number","minimum":-1.25,"maximum":2.5})",
     {"-1.25", "-1.2", "2.5", "2.50", "2.499"},
     {"-1.26", "2.51", "-2", "3"}},
    {R"({"type":"number","minimum":10})", {"10", "10.5", "99", "100"}, {"9.99", "1", "-10"}},
    {R"({"minimum":3})", {"3", "4"}, {"2", R"("a")"}},
};

const Case kArrays[] = {
    {R"({"type":"array"})",
     {"[]", "[1]", R"([1, "a", [true], {}])", "[\n  1,\n  2\n]"},
     {"[1,]", "[,1]", "[", "[1 ,2]"}},
    {R"({"type":"array","items":{"type":"integer"}})", {"[]", "[1,2,3]"}, {R"(["a"])", "[1,]"}},
    {R"({"type":"array","items":{"type":"integer"},"minItems":1})", {"[1]", "[1, 2]"}, {"[]"}},
    {R"({"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":3})",
     {"[1,2]", "[1,2,3]"},
     {"[1]", "[1,2,3,4]", "[]"}},
    {R"({"type":"array","items":{"type":"integer"},"minItems":2})",
     {"[1,2]", "[1,2,3,4,5]"},
     {"[1]"}},
    {R"({"type":"array","maxItems":0})", {"[]", "[ ]"}, {"[1]"}},
    {R"({"type":"array","prefixItems":[{"type":"string"},{"type":"integer"}]})",
     {R"(["a",1])", R"(["a"])", "[]"},
     {R"([1])", R"(["a",1,2])"}},
    {R"({"type":"array","prefixItems":[{"type":"string"}],"items":{"type":"null"},"minItems":1})",
     {R"(["a"])", R"(["a",null,null])"},
     {"[]", R"(["a",1])"}},
    {R"({"type":"array","prefixItems":[{"type":"string"}],"items":false,"minItems":1})",
     {R"(["a"])"},
     {"[]", R"(["a",1])"}},
    {R"({"type":"array","items":false})", {"[]"}, {"[1]"}},
    {R"({"type":"array","items":{"type":"array","items":{"type":"boolean"}}})",
     {"[]", "[[],[true]]"},
     {"[true]"}},
};

const Case kObjects[] = {
    {R"({"type":"object"})", {"{}", R"({"a":1})", R"({"a": {"b": []}, "c": null})"}, {"[]", "{,}"}},
    {R"({"type":"object","properties":{}})", {"{}"}, {R"({"a":1})"}},
    {R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},
        "required":["a","b"],"additionalProperties":false})",
     {R"({"a":1,"b":"x"})", R"({"a": 1, "b": "x"})", "{\n  \"a\": 1,\n  \"b\": \"x\"\n}"},
     {R"({"a":1})", R"({"b":"x","a":1})", R"({"a":1,"b":"x","c":1})", "{}", R"({"a":1,"b":"x",})",
      "{  \"a\":1,\"b\":\"x\"}"}},
    {R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"},
        "c":{"type":"integer"}},"required":["b"]})",
     {R"({"b":1})", R"({"a":1,"b":1})", R"({"b":1,"c":1})", R"({"a":1,"b":2,"c":3})"},
     {"{}", R"({"a":1})", R"({"a":1,"c":1})", R"({"c":1,"b":1})", R"({,"b":1})"}},
    {R"({"type":"object","properties":{"a":{"type":"integer"},"ab":{"type":"string"}}})",
     {"{}", R"({"a":1})", R"({"ab":"x"})", R"({"a":1,"ab":"x"})"},
     {R"({"ab":1})"}},
    {R"({"type":"object","properties":{"a":{"type":"integer"}},
        "additionalProperties":{"type":"string"}})",
     {"{}", R"({"a":1})", R"({"a":1,"b":"x"})", R"({"b":"x","c":"y"})", R"({"ab":"x"})"},
     {R"({"a":"x"})", R"({"b":1})", R"({"b":"x","a":1})", R"({"b":"x","a":"y"})"}},
    {R"({"type":"object","additionalProperties":{"type":"integer"}})",
     {"{}", R"({"x":1,"y":2})"},
     {R"({"x":"1"})"}},
    {R"({"type":"object","additionalProperties":{"type":"integer"},"minProperties":1,
        "maxProperties":2})",
     {R"({"x":1})", R"({"x":1,"y":2})"},
     {"{}", R"({"x":1,"y":2,"z":3})"}},
    {R"({"type":"object","properties":{"a":{"type":"null"},"b":{"type":"null"}},
        "minProperties":1})",
     {R"({"a":null})", R"({"b":null})"},
     {"{}"}},
    {R"({"type":"object","patternProperties":{"^x-":{"type":"integer"}}})",
     {"{}", R"({"x-a":1})"},
     {R"({"y":1})", R"({"x-a":"1"})"}},
    {R"({"type":"object","properties":{"x-a":{"minimum":5}},
        "patternProperties":{"^x-":{"type":"integer"}},"additionalProperties":{"type":"null"}})",
     {R"({"x-a":5})", R"({"x-b":1})", R"({"z":null})"},
     {R"({"x-a":4})", R"({"z":1})", R"({"x-b":null})"}},
    {R"({"type":"object","propertyNames":{"pattern":"^[a-z]+$"},
        "additionalProperties":{"type":"integer"}})",
     {R"({"ab":1})"},
     {R"({"A":1})"}},
    {R"({"type":"object","propertyNames":{"enum":["k","l"]}})",
     {R"({"k":1})", R"({"l":[]})"},
     {R"({"m":1})"}},
    {R"({"type":"object","required":["n"]})", {R"({"n":1})", R"({"n":1,"z":2})"}, {"{}"}},
    {R"({"type":"object","properties":{"a":false,"b":true}})",
     {"{}", R"({"b":[1]})"},
     {R"({"a":1})"}},
    {R"({"type":"object","properties":{"é\"\n":{"type":"null"}},"required":["é\"\n"]})",
     {R"({"é\"\n":null})"},
     {"{}"}},
    {R"({"properties":{"a":{"type":"integer"}}})", {R"({"a":1})"}, {"1"}},
    {R"({"type":"object","properties":{"a":{"type":"object","properties":{"b":
        {"type":"object","properties":{"c":{"const":1}},"required":["c"]}},"required":["b"]}},
        "required":["a"]})",
     {R"({"a":{"b":{"c":1}}})"},
     {R"({"a":{"b":{}}})"}},
};

const Case kChoices[] = {
    {R"({"anyOf":[{"type":"string"},{"type":"integer"}]})", {R"("a")", "1"}, {"null", "1.5"}},
    {R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},
        "anyOf":[{"required":["a"]},{"required":["b"]}]})",
     {R"({"a":1})", R"({"b":1})", R"({"a":1,"b":1})"},
     {"{}"}},
    {R"({"oneOf":[{"type":"string"},{"type":"null"}]})", {R"("a")", "null"}, {"1"}},
    {R"({"oneOf":[{"type":"object","properties":{"k":{"const":"a"},"v":{"type":"integer"}},
        "required":["k","v"]},{"type":"object","properties":{"k":{"const":"b"}},
        "required":["k"]}]})",
     {R"({"k":"a","v":1})", R"({"k":"b"})"},
     {R"({"k":"a"})", R"({"k":"b","v":1})"}},
    {R"({"oneOf":[{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]},
        {"type":"object","properties":{"b":{"type":"integer"}},"required":["b"]}]})",
     {R"({"a":1})", R"({"b":1})"},
     {R"({"a":1,"b":1})", "{}"}},
    {R"({"allOf":[{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]},
        {"properties":{"b":{"type":"string"}},"required":["b"]}]})",
     {R"({"a":1,"b":"x"})"},
     {R"({"a":1})", R"({"b":"x"})"}},
    {R"({"allOf":[{"type":"integer","minimum":3},{"maximum":5}],"minimum":4})",
     {"4", "5"},
     {"3", "6"}},
    {R"({"allOf":[{"type":["string","integer"]},{"type":["integer","null"]}]})",
     {"1"},
     {"null", R"("a")"}},
    {R"({"allOf":[{"anyOf":[{"const":1},{"const":2}]},{"anyOf":[{"const":2},{"const":3}]}]})",
     {"2"},
     {"1", "3"}},
    {R"({"$ref":"#/$defs/x","description":"d","$defs":{"x":{"type":"integer"}}})", {"1"}, {"1.5"}},
    {R"({"$ref":"#/$defs/x","minimum":5,"$defs":{"x":{"type":"integer","maximum":7}}})",
     {"5", "7"},
     {"4", "8"}},
    {R"({"$ref":"#/definitions/a~1b%20c","definitions":{"a/b c":{"type":"null"}}})",
     {"null"},
     {"1"}},
    {R"({"type":"object","properties":{"value":{"type":"integer"},
        "next":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},"required":["value","next"]})",
     {R"({"value":1,"next":null})", R"({"value":1,"next":{"value":2,"next":null}})"},
     {R"({"value":1})", R"({"value":1,"next":{}})"}},
    {R"({"$defs":{"t":{"type":"object","properties":{"kids":{"type":"array","items":
        {"$ref":"#/$defs/t"}}},"required":["kids"]}},"$ref":"#/$defs/t"})",
     {R"({"kids":[]})", R"({"kids":[{"kids":[]},{"kids":[{"kids":[]}]}]})"},
     {R"({"kids":[1]})", R"({"kids":[{}]})"}},
    {R"({"type":"object","properties":{"a":{"$ref":"#/properties/b"},"b":{"type":"boolean"}},
        "required":["a"]})",
     {R"({"a":true})"},
     {R"({"a":1})"}},
    {"true", {"1", R"({"a":[]})", "null"}, {"", "nul"}},
    {"{}", {"1", R"("x")"}, {"x"}},
    {R"({"anyOf":[false,{"type":"null"}]})", {"null"}, {"1"}},
    // A way that never ends is no way.
    {R"({"anyOf":[{"type":"null"},{"type":"array","items":{"$ref":"#"},"minItems":1}]})",
     {"null", "[null]", "[[null], null]"},
     {"[]"}},
};

void Check(const Case& c) {
  const auto grammar = CompileJsonSchema(ParseJson(c.schema));
  ASSERT_TRUE(grammar.has_value()) << c.schema << ": " << grammar.error().ToString();
  for (const std::string_view text : c.accepted) {
    EXPECT_TRUE(Accepts(*grammar, text)) << c.schema << " should accept " << text;
  }
  for (const std::string_view text : c.rejected) {
    EXPECT_FALSE(Accepts(*grammar, text)) << c.schema << " should reject " << text;
  }
}

TEST(Schema, Scalars) {
  for (const Case& c : kScalars) Check(c);
}
TEST(Schema, Numbers) {
  for (const Case& c : kNumbers) Check(c);
}
TEST(Schema, Arrays) {
  for (const Case& c : kArrays) Check(c);
}
TEST(Schema, Objects) {
  for (const Case& c : kObjects) Check(c);
}
TEST(Schema, ChoicesAndReferences) {
  for (const Case& c : kChoices) Check(c);
}

TEST(Schema, CompactHasNoSpace) {
  const auto grammar = CompileJsonSchema(ParseJson("true"), {.space = JsonSpace::kCompact});
  ASSERT_TRUE(grammar.has_value());
  EXPECT_TRUE(Accepts(*grammar, R"({"a":[1,2]})"));
  EXPECT_FALSE(Accepts(*grammar, R"({"a": [1,2]})"));
  EXPECT_FALSE(Accepts(*grammar, "[\n]"));
}

// All integers of a range around the bounds, against arithmetic.
TEST(Schema, IntegerRangesHoldExactlyTheirNumbers) {
  for (const auto& [least, most] : std::vector<std::pair<int, int>>{
           {0, 0}, {-1, 1}, {5, 17}, {-120, -7}, {-3, 1005}, {99, 101}, {10, 10}, {-999, 1000}}) {
    const nlohmann::ordered_json schema = {
        {"type", "integer"}, {"minimum", least}, {"maximum", most}};
    const auto grammar = CompileJsonSchema(schema);
    ASSERT_TRUE(grammar.has_value()) << schema;
    for (int n = -1100; n <= 1100; ++n) {
      ASSERT_EQ(Accepts(*grammar, std::to_string(n)), least <= n && n <= most) << schema << n;
    }
  }
}

TEST(Schema, DecimalRangesHoldExactlyTheirNumbers) {
  for (const auto& [least, most] : std::vector<std::pair<double, double>>{
           {0, 1}, {-0.5, 0.25}, {1.05, 12.5}, {-3.1, -0.07}, {0.001, 0.01}, {9.9, 10.1}}) {
    for (const bool exclusive : {false, true}) {
      const nlohmann::ordered_json schema = {{"type", "number"},
                                             {exclusive ? "exclusiveMinimum" : "minimum", least},
                                             {exclusive ? "exclusiveMaximum" : "maximum", most}};
      const auto grammar = CompileJsonSchema(schema);
      ASSERT_TRUE(grammar.has_value()) << schema;
      for (int n = -4000; n <= 13000; ++n) {
        const std::string digits = std::to_string(std::abs(n) + 1000000);
        const std::string text = std::string(n < 0 ? "-" : "") +
                                 std::to_string(std::abs(n) / 1000) + "." + digits.substr(4);
        const double value = std::stod(text);
        const bool inside =
            exclusive ? least < value && value < most : least <= value && value <= most;
        ASSERT_EQ(Accepts(*grammar, text), inside) << schema << text;
      }
    }
  }
}

}  // namespace
}  // namespace flashmoe::grammar
