#include "text/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace flashmoe {
namespace {

using testing::HasSubstr;
using Json = nlohmann::ordered_json;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

ChatTemplate ParseOrDie(std::string_view source) {
  auto parsed = ChatTemplate::Parse(source);
  if (!parsed.has_value()) ADD_FAILURE() << parsed.error().ToString();
  return std::move(*parsed);
}

std::string Rendered(std::string_view source, const Json& request) {
  const auto output = ParseOrDie(source).Render(request);
  return output.has_value() ? *output : "error: " + output.error().ToString();
}

// Conversations that the reference library rendered with the models' own templates.
class ChatGolden : public testing::TestWithParam<const char*> {};

TEST_P(ChatGolden, EqualsTheReference) {
  const std::string folder = FLASHMOE_TEST_DATA "/chat/";
  const Json golden = Json::parse(ReadFile(folder + GetParam() + ".cases.json"));
  const ChatTemplate chat = ParseOrDie(ReadFile(folder + golden["template"].get<std::string>()));
  ASSERT_FALSE(golden["cases"].empty());
  for (const Json& item : golden["cases"]) {
    SCOPED_TRACE(item["name"].get<std::string>());
    const auto output = chat.Render(item["input"]);
    if (item.contains("error")) {
      ASSERT_FALSE(output.has_value());
      EXPECT_EQ(output.error().what, item["error"].get<std::string>());
    } else {
      ASSERT_TRUE(output.has_value()) << output.error().ToString();
      EXPECT_EQ(*output, item["expected"].get<std::string>());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, ChatGolden,
                         testing::Values("Qwen-Qwen3-0.6B", "Qwen3-Coder", "Qwen3.5-4B"));

const Json kHello = Json::parse(R"([{"role": "user", "content": "Hi"}])");

TEST(ChatTemplate, GivesTheVariablesOfTheReference) {
  const char* source =
      "{{ messages[0].content }} {{ tools }} {{ documents }} {{ add_generation_prompt }} "
      "{{ enable_thinking is defined }} {{ bos_token is defined }}";
  EXPECT_EQ(Rendered(source, {{"messages", kHello}}), "Hi None None False False False");
  EXPECT_EQ(Rendered(source, {{"messages", kHello},
                              {"tools", Json::array()},
                              {"enable_thinking", false},
                              {"bos_token", "<s>"},
                              {"add_generation_prompt", true}}),
            "Hi [] None True True True");
}

TEST(ChatTemplate, MergesExtraArguments) {
  const Json request = {{"messages", kHello},
                        {"mode", "a"},
                        {"chat_template_kwargs", {{"enable_thinking", false}, {"mode", "b"}}}};
  EXPECT_EQ(
      Rendered("{{ enable_thinking }} {{ mode }} {{ chat_template_kwargs is defined }}", request),
      "False b False");
}

Json WithCall(const Json& call) {
  return {{"messages", {{{"role", "assistant"}, {"tool_calls", {call}}}}}};
}

TEST(ChatTemplate, ParsesArgumentsGivenAsText) {
  const char* source =
      "{% for c in messages[0].tool_calls %}{% set f = c.function or c %}"
      "{% for k, v in f.arguments|items %}{{ k }}={{ v|tojson }};{% endfor %}{% endfor %}";
  const char* text = R"({"b": [1, 2.0], "a": "x"})";
  const std::string expected = "b=[1, 2.0];a=\"x\";";
  EXPECT_EQ(Rendered(source, WithCall({{"function", {{"name", "f"}, {"arguments", text}}}})),
            expected);
  EXPECT_EQ(Rendered(source, WithCall({{"name", "f"}, {"arguments", text}})), expected);
  EXPECT_EQ(Rendered(source, WithCall({{"name", "f"}, {"arguments", Json::parse(text)}})),
            expected);
  EXPECT_EQ(Rendered(source, WithCall({{"name", "f"}, {"arguments", " "}})), "");
}

TEST(ChatTemplate, RefusesArgumentsThatAreNoObject) {
  for (const char* text : {"{\"a\": ", "[1]", "5", "nonsense"}) {
    const auto output =
        ParseOrDie("x").Render(WithCall({{"function", {{"name", "f"}, {"arguments", text}}}}));
    ASSERT_FALSE(output.has_value()) << text;
    EXPECT_THAT(output.error().what, HasSubstr("not a JSON object"));
    EXPECT_EQ(output.error().where, "messages[0].tool_calls[0].function.arguments");
  }
  const auto output = ParseOrDie("x").Render(
      WithCall({{"function", {{"name", "f"}, {"arguments", R"({"a":1,"a":2})"}}}}));
  ASSERT_FALSE(output.has_value());
  EXPECT_THAT(output.error().what, HasSubstr("twice")) << "says why";
}

TEST(ChatTemplate, RefusesBadRequests) {
  const ChatTemplate chat = ParseOrDie("x");
  const std::pair<const char*, const char*> cases[] = {
      {"[]", "the request is not a JSON object (request)"},
      {"{}", "the request has no messages (request)"},
      {R"({"messages": "hi"})", "messages is not an array (request)"},
      {R"({"messages": [{}, "hi"]})", "a message is not an object (messages[1])"},
  };
  for (const auto& [request, expected] : cases) {
    const auto output = chat.Render(Json::parse(request));
    ASSERT_FALSE(output.has_value()) << request;
    EXPECT_THAT(output.error().ToString(), HasSubstr(expected));
  }
}

TEST(ChatTemplate, ToleratesMembersOfUnknownTypes) {
  EXPECT_EQ(Rendered("{{ messages[0].content }}{{ messages[0].tool_calls }}",
                     Json::parse(R"({"messages": [{"role": 5, "content": null,
                         "tool_calls": "none", "x": {"y": []}}], "z": 1e10})")),
            "Nonenone");
  EXPECT_EQ(Rendered("{{ messages|length }}", {{"messages", Json::array()}}), "0");
}

TEST(ChatTemplate, BoundsTheRequest) {
  Json deep = 1;
  for (int i = 0; i < 300; ++i) deep = Json::array({deep});
  const ChatTemplate chat = ParseOrDie("x");
  const auto nested = chat.Render({{"messages", kHello}, {"deep", deep}});
  ASSERT_FALSE(nested.has_value());
  EXPECT_THAT(nested.error().what, HasSubstr("nests more than"));

  TemplateLimits limits;
  limits.value_bytes = 1000;
  const auto large = chat.Render({{"messages", kHello}, {"x", std::string(5000, 'x')}}, limits);
  ASSERT_FALSE(large.has_value());
  EXPECT_EQ(large.error().code, ErrorCode::kOutOfMemory);

  const auto invalid = chat.Render({{"messages", kHello}, {"x", "\xff"}});
  ASSERT_FALSE(invalid.has_value());
  EXPECT_THAT(invalid.error().what, HasSubstr("not valid UTF-8"));
}

TEST(ChatTemplate, ObeysItsLimits) {
  const ChatTemplate chat = ParseOrDie(
      "{% for i in range(1000) %}{{ i }}{% endfor %}{% macro m() %}{{ m() }}{% endmacro %}"
      "{{ m() if deep }}");
  TemplateLimits limits;
  EXPECT_TRUE(chat.Render({{"messages", kHello}}, limits).has_value());
  limits.steps = 500;
  EXPECT_THAT(chat.Render({{"messages", kHello}}, limits).error().what, HasSubstr("500 steps"));
  limits = {};
  limits.output_bytes = 100;
  EXPECT_THAT(chat.Render({{"messages", kHello}}, limits).error().what, HasSubstr("100 bytes"));
  limits = {};
  limits.depth = 20;
  EXPECT_THAT(chat.Render({{"messages", kHello}, {"deep", true}}, limits).error().what,
              HasSubstr("20 deep"));
}

TEST(ChatTemplate, CarriesTheTemplatesOwnError) {
  const auto output =
      ParseOrDie("\n{{ raise_exception('Roles must alternate') }}").Render({{"messages", kHello}});
  ASSERT_FALSE(output.has_value());
  EXPECT_EQ(output.error().what, "Roles must alternate");
  EXPECT_EQ(output.error().where, "chat_template:2");
}

TEST(ChatTemplate, RendersAgainAndAfterAMove) {
  ChatTemplate chat =
      ParseOrDie("{% set ns = namespace(n=0) %}{% set ns.n = ns.n + 1 %}{{ ns.n }}");
  EXPECT_EQ(chat.Render({{"messages", kHello}}).value_or(""), "1");
  const ChatTemplate moved = std::move(chat);
  EXPECT_EQ(moved.Render({{"messages", kHello}}).value_or(""), "1");
}

}  // namespace
}  // namespace flashmoe
