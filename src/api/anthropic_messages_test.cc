#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/anthropic_writer.h"
#include "api/api_request.h"
#include "api/test_support.h"

namespace flashmoe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Json = nlohmann::ordered_json;

constexpr const char* kHello =
    R"({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]})";
constexpr const char* kTools = R"({"tools": [
    {"name": "f", "description": "D", "input_schema": {"type": "object"},
     "cache_control": {"type": "ephemeral"}},
    {"type": "custom", "name": "g", "input_schema": {"type": "object"}}]})";

ChatRequest Chat(const std::string& more = "{}") {
  return ChatOf(ParseAnthropicMessage, With(kHello, more));
}
std::string ErrorWith(const std::string& more) {
  return ErrorOf(ParseAnthropicMessage, With(kHello, more));
}

TEST(AnthropicRequest, ReadsTextAndSystem) {
  EXPECT_THAT(Describe(Chat().messages), ElementsAre("user: Hi"));
  EXPECT_THAT(Describe(Chat(R"({"system": "A"})").messages), ElementsAre("system: A", "user: Hi"));
  EXPECT_THAT(Describe(Chat(R"({"system": [{"type": "text", "text": "A"},
                  {"type": "text", "text": "B", "cache_control": {}}]})")
                           .messages),
              ElementsAre("system: A\nB", "user: Hi"));
  EXPECT_EQ(Chat().options.max_tokens, 9);
  EXPECT_EQ(Chat().thinking, false);
}

TEST(AnthropicRequest, ReadsBlocks) {
  const ChatRequest chat = Chat(R"({"messages": [
      {"role": "user", "content": [{"type": "text", "text": "A"}, {"type": "document",
          "title": "T", "source": {"type": "text", "media_type": "text/plain", "data": "B"}}]},
      {"role": "assistant", "content": [
          {"type": "thinking", "thinking": "C", "signature": "s"},
          {"type": "redacted_thinking", "data": "xyz"}, {"type": "text", "text": "D"},
          {"type": "tool_use", "id": "t1", "name": "f", "input": {"b": 1, "a": 2}},
          {"type": "tool_use", "id": "t2", "name": "g", "input": {}}]},
      {"role": "user", "content": [
          {"type": "tool_result", "tool_use_id": "t1", "content": "E"},
          {"type": "tool_result", "tool_use_id": "t2", "is_error": true, "content": [
              {"type": "text", "text": "F"}]},
          {"type": "tool_result", "tool_use_id": "t3"}, {"type": "text", "text": "G"}]},
      {"role": "assistant", "content": "H"}, {"role": "user", "content": []}]})");
  EXPECT_THAT(Describe(chat.messages),
              ElementsAre("user: A\nT\nB", "assistant: {C} D [t1 f {\"b\":1,\"a\":2}] [t2 g {}]",
                          "tool(t1): E", "tool(t2): Error: F", "tool(t3):", "user: G",
                          "assistant: H", "user:"));
}

TEST(AnthropicRequest, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"max_tokens": null})", "max_tokens is missing (max_tokens)"},
      {R"({"max_tokens": 0})", "max_tokens is 0 (max_tokens)"},
      {R"({"messages": []})", "there are no messages (messages)"},
      {R"({"messages": null})", "messages is missing"},
      {R"({"system": 5})", "(system)"},
      {R"({"system": [{"type": "image"}]})", "content of type 'image' (system[0].type)"},
      {R"({"messages": [{"role": "tool", "content": "x"}]})", "role is 'tool' (messages[0].role)"},
      {R"({"messages": [{"role": "user"}]})", "content is missing (messages[0].content)"},
      {R"({"messages": [{"role": "user", "content": [{"type": "image"}]}]})",
       "content of type 'image' (messages[0].content[0].type): this model reads text only"},
      {R"({"messages": [{"role": "user", "content": [{"type": "document",
          "source": {"type": "base64", "data": ""}}]}]})",
       "content of type 'document'"},
      {R"({"messages": [{"role": "user", "content": [{"text": "x"}]}]})", "type is missing"},
      {R"({"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]})",
       "tool_use_id is missing (messages[0].content[0].tool_use_id)"},
      {R"({"messages": [{"role": "assistant", "content": [{"type": "tool_use", "name": "f",
          "input": "{}"}]}, {"role": "user", "content": "x"}]})",
       "input is not an object"},
      {R"({"messages": [{"role": "assistant", "content": [{"type": "server_tool_use"}]}]})",
       "content of type 'server_tool_use'"},
      {R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})",
       "the last message is the assistant's (messages)"},
      {R"({"stop_sequences": [""]})", "stop_sequences is not understood"},
      {R"({"temperature": "x"})", "(temperature)"},
      {R"({"mcp_servers": [{}]})", "mcp_servers is not supported"},
      {R"({"container": "x"})", "container is not supported"},
  };
  for (const auto& [more, error] : cases) EXPECT_THAT(ErrorWith(more), HasSubstr(error)) << more;
  EXPECT_EQ(ErrorWith(R"({"metadata": {"user_id": "u"}, "service_tier": "auto",
                          "context_management": {}, "cache_control": {}})"),
            "none");
}

TEST(AnthropicRequest, ReadsToolsAndChoices) {
  using Kind = ToolChoice::Kind;
  const auto choice = [](const char* json) {
    return Chat(With(kTools, std::string(R"({"tool_choice": )") + json + "}"));
  };
  ASSERT_EQ(Chat(kTools).tools.size(), 2u);
  EXPECT_EQ(Chat(kTools).tools[0].description, "D");
  EXPECT_EQ(Chat(kTools).tool_choice.kind, Kind::kAuto);
  EXPECT_EQ(choice(R"({"type": "auto"})").tool_choice.kind, Kind::kAuto);
  EXPECT_EQ(choice(R"({"type": "any"})").tool_choice.kind, Kind::kRequired);
  EXPECT_EQ(choice(R"({"type": "none"})").tool_choice.kind, Kind::kNone);
  EXPECT_EQ(choice(R"({"type": "tool", "name": "g"})").tool_choice.name, "g");
  EXPECT_FALSE(choice(R"({"type": "any", "disable_parallel_tool_use": true})").parallel_tool_calls);
  EXPECT_THAT(ErrorWith(R"({"tool_choice": {"type": "tool", "name": "h"}})"),
              HasSubstr("tool_choice names 'h'"));
  EXPECT_THAT(ErrorWith(R"({"tool_choice": {"type": "tool"}})"), HasSubstr("name is missing"));
  EXPECT_THAT(ErrorWith(R"({"tools": [{"type": "bash_20250124", "name": "bash"}]})"),
              HasSubstr("a tool of type 'bash_20250124' (tools[0])"));
  EXPECT_THAT(ErrorWith(R"({"tools": [{"name": "f"}]})"), HasSubstr("input_schema is missing"));
}

TEST(AnthropicRequest, ReadsOptions) {
  const ChatRequest chat = Chat(R"({"temperature": 0.5, "top_p": 0.9, "top_k": 5,
      "stop_sequences": ["a", "b"], "thinking": {"type": "enabled", "budget_tokens": 1024},
      "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {}}}})");
  EXPECT_EQ(chat.options.sampling.temperature, 0.5f);
  EXPECT_EQ(chat.options.sampling.top_k, 5);
  EXPECT_THAT(chat.options.stop, ElementsAre("a", "b"));
  EXPECT_EQ(chat.thinking, true);
  EXPECT_EQ(chat.options.format.kind, ResponseFormat::Kind::kJsonSchema);
  EXPECT_TRUE(chat.options.format.strict);
  EXPECT_EQ(DumpJson(chat.template_kwargs), R"({"reasoning_effort":"low"})");
  EXPECT_EQ(Chat(R"({"thinking": {"type": "adaptive"}})").thinking, true);
  EXPECT_EQ(Chat(R"({"thinking": {"type": "disabled"}})").thinking, false);
  EXPECT_EQ(Chat(R"({"output_config": {"effort": "high"}})").thinking, false);
  EXPECT_EQ(Chat(R"({"output_format": {"type": "json_schema", "schema": {}}})").options.format.kind,
            ResponseFormat::Kind::kJsonSchema);
  EXPECT_THAT(ErrorWith(R"({"thinking": {"type": "enabled", "budget_tokens": "x"}})"),
              HasSubstr("(thinking.budget_tokens)"));
  EXPECT_THAT(ErrorWith(R"({"thinking": {}})"), HasSubstr("type is missing (thinking.type)"));
  EXPECT_THAT(ErrorWith(R"({"output_config": {"format": {"type": "x"}}})"),
              HasSubstr("(output_config.format.type)"));
}

TEST(AnthropicRequest, CountsTokensOfTheSameRequest) {
  const auto chat = ParseAnthropicTokenCount(With(
      kTools, R"({"model": "m", "system": "A", "messages": [{"role": "user", "content": "B"}]})"));
  ASSERT_TRUE(chat.has_value()) << chat.error().ToString();
  EXPECT_THAT(Describe(chat->messages), ElementsAre("system: A", "user: B"));
  EXPECT_EQ(chat->tools.size(), 2u);
  EXPECT_THAT(ErrorOf(ParseAnthropicTokenCount, "{}"), HasSubstr("messages is missing"));
  EXPECT_EQ(AnthropicTokenCount(42), R"({"input_tokens":42})");
}

TEST(AnthropicWriter, WritesWholeAnswers) {
  EXPECT_EQ(MakeAnthropicWriter(TestHead())->Whole(TestAnswer({.usage = TestUsage()})),
            R"({"id":"msg_7","type":"message","role":"assistant","model":"ember","content":[)"
            R"({"type":"thinking","thinking":"Hm","signature":"unsigned"},)"
            R"({"type":"text","text":"Let me see."},)"
            R"({"type":"tool_use","id":"toolu_7_0","name":"f","input":{"a":1}}],)"
            R"("stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":6,)"
            R"("cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":5}})");
}

TEST(AnthropicWriter, SaysWhyAnAnswerEnded) {
  const auto stop = [](AnswerEnd end) {
    Answer answer;
    answer.end = std::move(end);
    const Json json = Json::parse(MakeAnthropicWriter(TestHead())->Whole(answer));
    return json["stop_reason"].dump() + json["stop_sequence"].dump();
  };
  EXPECT_EQ(stop({}), "\"end_turn\"null");
  EXPECT_EQ(stop({.reason = AnswerEnd::Reason::kLength}), "\"max_tokens\"null");
  EXPECT_EQ(stop({.stop_string = "END"}), "\"stop_sequence\"\"END\"");
}

TEST(AnthropicWriter, WritesStreams) {
  EXPECT_THAT(
      StreamOf(*MakeAnthropicWriter(TestHead()), TestEvents(), {.usage = TestUsage()}),
      ElementsAre(
          R"({"type":"message_start","message":{"id":"msg_7","type":"message",)"
          R"("role":"assistant","model":"ember","content":[],"stop_reason":null,)"
          R"("stop_sequence":null,"usage":{"input_tokens":10,"cache_creation_input_tokens":0,)"
          R"("cache_read_input_tokens":0,"output_tokens":0}}})",
          R"({"type":"ping"})",
          R"({"type":"content_block_start","index":0,"content_block":{"type":"thinking",)"
          R"("thinking":"","signature":""}})",
          R"({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta",)"
          R"("thinking":"Hm"}})",
          R"({"type":"content_block_delta","index":0,"delta":{"type":"signature_delta",)"
          R"("signature":"unsigned"}})",
          R"({"type":"content_block_stop","index":0})",
          R"({"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}})",
          R"({"type":"content_block_delta","index":1,"delta":{"type":"text_delta",)"
          R"("text":"Let me"}})",
          R"({"type":"content_block_delta","index":1,"delta":{"type":"text_delta",)"
          R"("text":" see."}})",
          R"({"type":"content_block_stop","index":1})",
          R"({"type":"content_block_start","index":2,"content_block":{"type":"tool_use",)"
          R"("id":"toolu_7_0","name":"f","input":{}}})",
          R"({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta",)"
          R"("partial_json":"{\"a\""}})",
          R"({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta",)"
          R"("partial_json":": 1}"}})",
          R"({"type":"content_block_stop","index":2})",
          R"({"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},)"
          R"("usage":{"input_tokens":6,"cache_creation_input_tokens":0,)"
          R"("cache_read_input_tokens":4,"output_tokens":5}})",
          R"({"type":"message_stop"})"));
}

TEST(AnthropicWriter, EndsStreamsWithHalfACallAsTheModelDid) {
  std::vector<AnswerEvent> events = TestEvents();
  events.back().complete = false;
  const auto payloads =
      StreamOf(*MakeAnthropicWriter(TestHead()), events, {.reason = AnswerEnd::Reason::kLength});
  EXPECT_THAT(payloads[payloads.size() - 2], HasSubstr("\"stop_reason\":\"max_tokens\""));
}

TEST(AnthropicWriter, EndsAStreamWithAnError) {
  EXPECT_EQ(MakeAnthropicWriter(TestHead())->Fail(Fail(ErrorCode::kIo, "no").error()),
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\","
            "\"message\":\"no\"}}\n\n");
}

}  // namespace
}  // namespace flashmoe
