// flashmoe run --json-schema and --regex: answers that keep a form, whatever the model would say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "tests/e2e/models.h"
#include "tests/e2e/process.h"

namespace flashmoe::e2e {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const std::string kAsk(kQuestion);

constexpr char kCommand[] = R"({
  "type": "object",
  "properties": {
    "command": {"type": "string", "pattern": "^[a-z]{2,8}$"},
    "options": {"type": "array", "items": {"type": "string", "maxLength": 6}, "maxItems": 2},
    "dangerous": {"type": "boolean"},
    "score": {"type": "integer", "minimum": 1, "maximum": 10}
  },
  "required": ["command", "options", "dangerous", "score"],
  "additionalProperties": false
})";

void ExpectCommand(const json& answer) {
  ASSERT_EQ(answer.size(), 4u) << answer;
  EXPECT_TRUE(std::regex_match(answer["command"].get<std::string>(), std::regex("[a-z]{2,8}")));
  EXPECT_LE(answer["options"].size(), 2u);
  for (const json& option : answer["options"]) EXPECT_LE(option.get<std::string>().size(), 24u);
  EXPECT_TRUE(answer["dangerous"].is_boolean());
  EXPECT_GE(answer["score"], 1);
  EXPECT_LE(answer["score"], 10);
}

TEST(GrammarTest, AnswersFollowASchema) {
  const Folder folder;
  const std::string schema = folder.Write("schema.json", kCommand);
  for (const char* seed : {"1", "2", "3"}) {
    const json r = ExpectJson(RunFlashmoe(
        {"run", "-p", kAsk, "--json-schema", schema, "--temp", "1.5", "--seed", seed, "--json"}));
    EXPECT_EQ(r["finish_reason"], "stop");
    ExpectCommand(json::parse(r["text"].get<std::string>()));
  }
  const json greedy = ExpectJson(RunFlashmoe(
      {"run", "-p", kAsk, "--json-schema", "-", "--temp", "0", "--json"}, {.input = kCommand}));
  ExpectCommand(json::parse(greedy["text"].get<std::string>()));
}

TEST(GrammarTest, AnswersFollowAnExpression) {
  const json r =
      ExpectJson(RunFlashmoe({"run", "-p", kAsk, "--regex", "(Yes|No), because [a-z ]{10,40}\\.",
                              "--temp", "1", "--seed", "5", "--json"}));
  EXPECT_EQ(r["finish_reason"], "stop");
  EXPECT_TRUE(std::regex_match(r["text"].get<std::string>(),
                               std::regex("(Yes|No), because [a-z ]{10,40}\\.")))
      << r["text"];
}

TEST(GrammarTest, TheAnswerEndsWhereTheGrammarEnds) {
  // Also where the model's own end of an answer is ignored, and without a further token.
  const json r = ExpectJson(
      RunFlashmoe({"run", "-p", kAsk, "--regex", "ab", "--ignore-eos", "--temp", "0", "--json"}));
  EXPECT_EQ(r["text"], "ab");
  EXPECT_EQ(r["finish_reason"], "stop");
  EXPECT_LE(r["tokens"].size(), 2u);
}

TEST(GrammarTest, ThinkingComesBeforeTheAnswer) {
  const json r = ExpectJson(RunFlashmoe(
      {"run", "-p", kAsk, "--think", "--regex", "[A-C]", "--temp", "0", "-n", "400", "--json"}));
  const auto text = r["text"].get<std::string>();
  EXPECT_EQ(r["finish_reason"], "stop");
  EXPECT_TRUE(std::regex_search(text, std::regex("</think>\n*[A-C]$"))) << text;
}

TEST(GrammarTest, WhatIsNotUnderstoodIsNamed) {
  const Folder folder;
  const std::string schema = folder.Write(
      "schema.json", R"({"type":"object","properties":{"a":{"not":{"type":"null"}}}})");
  std::string line = ExpectRefusal(RunFlashmoe({"run", "-p", kAsk, "--json-schema", schema}));
  EXPECT_THAT(line, HasSubstr("'not' is not supported"));
  EXPECT_THAT(line, HasSubstr(schema + "#/properties/a/not"));
  line = ExpectRefusal(RunFlashmoe({"run", "-p", kAsk, "--regex", "a(?=b)"}));
  EXPECT_THAT(line, HasSubstr("position 3"));
  ExpectRefusal(RunFlashmoe({"run", "-p", kAsk, "--json-schema", folder.File("missing")}));
  ExpectRefusal(
      RunFlashmoe({"run", "-p", kAsk, "--json-schema", folder.Write("text", "not JSON")}));
  const ProcessResult both =
      RunFlashmoe({"run", "-p", kAsk, "--regex", "a", "--json-schema", schema});
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_THAT(both.err, HasSubstr("exclude each other"));
}

}  // namespace
}  // namespace flashmoe::e2e
