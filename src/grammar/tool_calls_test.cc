// The calls of both families, in the forms that their templates teach.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "grammar/testing.h"

namespace flashmoe::grammar {
namespace {

using testing::HasSubstr;

std::vector<ToolSpec> Tools() {
  return {{.name = "get_weather", .parameters = ParseJson(R"({"type":"object","properties":{
               "city":{"type":"string"},"days":{"type":"integer","minimum":1,"maximum":14},
               "unit":{"type":"string","enum":["C","F"]}},"required":["city"]})")},
          {.name = "now"},
          {.name = "send", .parameters = ParseJson(R"({"type":"object","properties":{
               "to":{"type":"array","items":{"type":"string"}},"body":{"anyOf":[
               {"type":"string"},{"type":"null"}]},"zip":{"type":"string","pattern":"^[0-9]{5}$"},
               "meta":{"$ref":"#/$defs/m"}},"required":["to"],
               "$defs":{"m":{"type":"object","properties":{"x":{"type":"boolean"}}}}})")}};
}

std::shared_ptr<const Grammar> Compile(const ToolCallOptions& options,
                                       const std::vector<ToolSpec>& tools = Tools()) {
  const auto grammar = CompileToolCalls(tools, options);
  EXPECT_TRUE(grammar.has_value()) << grammar.error().ToString();
  return grammar.has_value() ? *grammar : nullptr;
}

const std::string kParis =
    "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n"
    "</function>\n</tool_call>";
const std::string kNow = "<tool_call>\n<function=now>\n</function>\n</tool_call>";
const std::string kJsonParis =
    "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}\n</tool_call>";
const std::string kJsonNow = "<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>";

std::string Xml(const std::string& name, const std::string& parameters) {
  return "<tool_call>\n<function=" + name + ">\n" + parameters + "</function>\n</tool_call>";
}
std::string Parameter(const std::string& key, const std::string& value) {
  return "<parameter=" + key + ">\n" + value + "\n</parameter>\n";
}

TEST(ToolCalls, OfQwen35) {
  const auto g = Compile({.form = ToolCallForm::kQwen35Xml, .required = true});
  EXPECT_TRUE(Accepts(g, kParis));
  EXPECT_TRUE(Accepts(g, kNow));
  EXPECT_TRUE(Accepts(g, kParis + "\n" + kNow));
  EXPECT_TRUE(Accepts(g, Xml("get_weather", Parameter("city", "a\n\"<b>\" é</param") +
                                                Parameter("days", "14") + Parameter("unit", "F"))));
  EXPECT_TRUE(Accepts(g, Xml("get_weather", Parameter("city", ""))));
  EXPECT_TRUE(
      Accepts(g, Xml("send", Parameter("to", R"(["a", "b"])") + Parameter("body", "hi") +
                                 Parameter("zip", "01234") + Parameter("meta", R"({"x": true})"))));
  for (const std::string& wrong : std::vector<std::string>{
           "", "Hello", "Hello " + kParis, kParis + " bye", Xml("other", ""),
           Xml("get_weather", ""),                      // `city` is missing
           Xml("get_weather", Parameter("days", "3")),  // so it is here
           Xml("get_weather", Parameter("city", "a") + Parameter("days", "15")),
           Xml("get_weather", Parameter("city", "a") + Parameter("days", "three")),
           Xml("get_weather", Parameter("city", "a") + Parameter("unit", "K")),
           Xml("get_weather", Parameter("city", "a") + Parameter("else", "K")),
           Xml("get_weather", Parameter("city", "a</parameter>b")),
           Xml("send", Parameter("to", "[1]")),
           Xml("send", Parameter("to", "[]") + Parameter("zip", "1234")),
           kParis.substr(0, kParis.size() - 1)}) {
    EXPECT_FALSE(Accepts(g, wrong)) << wrong;
  }
}

TEST(ToolCalls, WhatMayBeAStringOrNotIsReadAsItIsMeant) {
  const auto accepts = [](const std::string& schema, const std::string& text) {
    static std::map<std::string, std::shared_ptr<const Grammar>> grammars;
    auto& g = grammars[schema];
    if (!g) {
      g = Compile(
          {.required = true},
          {{.name = "f",
            .parameters = ParseJson(R"({"$defs":{"u":{"enum":["a",1,null]}},"properties":{"x":)" +
                                    schema + R"(},"required":["x"]})")}});
    }
    return Accepts(g, Xml("f", Parameter("x", text)));
  };
  struct Case {
    std::string schema;
    std::vector<std::string> right, wrong;
  };
  const std::vector<Case> cases = {
      {R"({"anyOf":[{"type":"integer","minimum":0,"maximum":9},{"type":"string","maxLength":3}]})",
       {"7", "", "abc", "x1", "-", "tru", "{}"},
       {"10", "-1", "1.5", " 12", "abcd", "12e"}},  // read as a number, but not allowed as one
      {R"({"type":["string","null"],"maxLength":4})",
       {"null", "12", "nul", "a\nb"},
       {"None", " null", "hello"}},
      {R"({"$ref":"#/$defs/u"})", {"a", "1", "null"}, {"b", "2", "\"a\"", "None"}},
      {R"({"enum":["1","x",true]})", {"x", "1", "true"}, {"True", "y", "2"}},
      {R"({"oneOf":[{"type":"object","properties":{"k":{"const":1}},"required":["k"]},
           {"enum":["auto","{}"]}]})",
       {"auto", R"({"k": 1})"},
       {"{}", R"({"k": 2})", "none"}},
      {R"({"anyOf":[{"type":"string","pattern":"^[0-9]+$"},{"type":"boolean"}]})",
       {"12", "true"},
       {"yes", "True", "1.5"}},
      {R"({"anyOf":[{"type":"array","items":{"type":"integer"}},{"type":"string","minLength":1}]})",
       {"[1, 2]", "a", " x"},
       {"[1, x]", "[", " [a]", ""}},
      // Nothing is said but types: any text is one of them.
      {R"({"type":["string","null"]})", {"null", "None", "12", ""}, {}},
      {R"({"anyOf":[{"type":"string"},{"type":"object"}]})", {"{\"a\": 1}", "{", "x"}, {}},
      {"{}", {"1", "x"}, {}},
      {R"({"minLength":2})", {"12", "true"}, {"1"}},
  };
  for (const Case& c : cases) {
    for (const std::string& text : c.right)
      EXPECT_TRUE(accepts(c.schema, text)) << c.schema << text;
    for (const std::string& text : c.wrong)
      EXPECT_FALSE(accepts(c.schema, text)) << c.schema << text;
  }
}

TEST(ToolCalls, OfQwen3) {
  const auto g = Compile({.form = ToolCallForm::kQwen3Json, .required = true});
  EXPECT_TRUE(Accepts(g, kJsonParis));
  EXPECT_TRUE(Accepts(g, kJsonNow + "\n" + kJsonParis));
  EXPECT_FALSE(Accepts(g, "x" + kJsonParis));
  EXPECT_FALSE(Accepts(g, kParis));
  EXPECT_FALSE(Accepts(
      g, "<tool_call>\n{\"name\": \"now\", \"arguments\": {\"city\": \"Paris\"}}\n</tool_call>"));
}

TEST(ToolCalls, AutoAllowsText) {
  for (const auto& [form, call] : {std::pair(ToolCallForm::kQwen35Xml, kParis),
                                   std::pair(ToolCallForm::kQwen3Json, kJsonParis)}) {
    const auto g = Compile({.form = form});
    EXPECT_TRUE(Accepts(g, ""));
    EXPECT_TRUE(Accepts(g, "It is <b>warm</b> <tool_calls, é."));
    EXPECT_TRUE(Accepts(g, call));
    EXPECT_TRUE(Accepts(g, "I look.\n\n" + call));
    EXPECT_TRUE(Accepts(g, "Let me think</think>\n\n" + call + "\n" + call));
    EXPECT_FALSE(Accepts(g, call + "\nThere."));
    EXPECT_FALSE(AcceptsPrefix(g, "<tool_call>nonsense"));
    EXPECT_FALSE(Accepts(g, "\xff"));
  }
}

TEST(ToolCalls, OneCallIfNotParallel) {
  const auto g = Compile({.required = true, .parallel = false});
  EXPECT_TRUE(Accepts(g, kNow));
  EXPECT_FALSE(Accepts(g, kNow + "\n" + kNow));
}

TEST(ToolCalls, RequiredOnesComeAfterThinking) {
  const auto g = Compile({.required = true, .grammar = {.thinking = ThinkingBlock::kOpen}});
  EXPECT_TRUE(Accepts(g, "I need the weather.\n</think>\n\n" + kParis));
  EXPECT_FALSE(Accepts(g, kParis));
  EXPECT_FALSE(Accepts(g, "</think>\n\nText " + kParis));
  EXPECT_FALSE(AcceptsPrefix(g, "a <tool_call>"));  // it would be read as a call
}

TEST(ToolCalls, AnswersMayHaveASchemaBesideTools) {
  ToolCallOptions options;
  options.answer_schema = ParseJson(R"({"type":"array","items":{"type":"integer"}})");
  const auto g = Compile(options);
  EXPECT_TRUE(Accepts(g, "[1, 2]"));
  EXPECT_TRUE(Accepts(g, kNow));
  EXPECT_FALSE(Accepts(g, "text"));
  EXPECT_FALSE(Accepts(g, "[1]" + kNow));
}

TEST(ToolCalls, ParametersThatNobodyDescribedAreFree) {
  const auto g =
      Compile({.required = true}, {{.name = "f", .parameters = ParseJson(R"({"type":"object"})")}});
  EXPECT_TRUE(Accepts(g, Xml("f", Parameter("a", "1") + Parameter("b c", "x"))));
  EXPECT_TRUE(Accepts(g, Xml("f", "")));
  EXPECT_FALSE(Accepts(g, Xml("f", Parameter("", "x"))));
  const auto no_parameters = Compile({.required = true}, {{.name = "f"}});
  EXPECT_FALSE(Accepts(no_parameters, Xml("f", Parameter("a", "1"))));
}

TEST(ToolCalls, ArgumentsAreAnObject) {
  for (const char* parameters : {"{}", "true", R"({"properties":{"x":{"type":"integer"}}})"}) {
    const auto g = Compile({.form = ToolCallForm::kQwen3Json, .required = true},
                           {{.name = "f", .parameters = ParseJson(parameters)}});
    const std::string call = "<tool_call>\n{\"name\": \"f\", \"arguments\": ";
    EXPECT_TRUE(Accepts(g, call + "{\"x\": 1}}\n</tool_call>")) << parameters;
    EXPECT_FALSE(AcceptsPrefix(g, call + "1")) << parameters;
  }
}

TEST(ToolCalls, ErrorsNameToolAndKeyword) {
  const auto error = [](std::vector<ToolSpec> tools) {
    const auto grammar = CompileToolCalls(tools);
    EXPECT_FALSE(grammar.has_value());
    return grammar.has_value() ? std::string() : grammar.error().ToString();
  };
  EXPECT_THAT(error({}), HasSubstr("no tools"));
  EXPECT_THAT(error({{.name = ""}}), HasSubstr("no name"));
  EXPECT_THAT(error({{.name = "a>b"}}), HasSubstr("'a>b'"));
  EXPECT_THAT(error({{.name = "a"}, {.name = "a"}}), HasSubstr("two tools"));
  EXPECT_THAT(error({{.name = "f", .parameters = ParseJson(R"({"type":"string"})")}}),
              HasSubstr("(f: )"));
  EXPECT_THAT(error({{.name = "f", .parameters = ParseJson(R"({"properties":{"x":{"not":{}}}})")}}),
              HasSubstr("f: /properties/x/not"));
  EXPECT_THAT(
      error({{.name = "f",
              .parameters = ParseJson(R"({"properties":{"x":{"type":"integer","if":{}}}})")}}),
      HasSubstr("f: /properties/x/if"));
}

}  // namespace
}  // namespace flashmoe::grammar
