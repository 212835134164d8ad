#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/api_request.h"
#include "api/openai_responses_writer.h"
#include "api/test_support.h"

namespace flashmoe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Json = nlohmann::ordered_json;

constexpr const char* kHello = R"({"model": "m", "input": "Hi"})";

ChatRequest Chat(const std::string& more = "{}") {
  return ChatOf(ParseOpenAiResponse, With(kHello, more));
}
std::string ErrorWith(const std::string& more) {
  return ErrorOf(ParseOpenAiResponse, With(kHello, more));
}

TEST(OpenAiResponseRequest, TakesATextOrAList) {
  EXPECT_THAT(Describe(Chat().messages), ElementsAre("user: Hi"));
  EXPECT_THAT(Describe(Chat(R"({"instructions": "Be brief."})").messages),
              ElementsAre("system: Be brief.", "user: Hi"));
  const ChatRequest chat = Chat(R"({"instructions": "A", "input": [
      {"role": "developer", "content": "B"},
      {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "C"}]},
      {"type": "reasoning", "id": "rs", "summary": [], "content": [
          {"type": "reasoning_text", "text": "D"}]},
      {"role": "assistant", "content": [{"type": "output_text", "text": "E", "annotations": []}]},
      {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
      {"type": "function_call", "call_id": "c2", "name": "g", "arguments": "{}"},
      {"type": "function_call_output", "call_id": "c1", "output": "F"},
      {"type": "function_call_output", "call_id": "c2", "output": [
          {"type": "input_text", "text": "G"}]},
      {"type": "reasoning", "summary": [{"type": "summary_text", "text": "H"}]},
      {"type": "reasoning", "summary": [], "encrypted_content": "xyz"},
      {"type": "function_call", "call_id": "c3", "name": "f", "arguments": "{}"},
      {"role": "assistant", "content": "I"},
      {"role": "assistant", "content": "J"}]})");
  EXPECT_THAT(Describe(chat.messages),
              ElementsAre("system: A\n\nB", "user: C", "assistant: {D} E [c1 f {}] [c2 g {}]",
                          "tool(c1): F", "tool(c2): G", "assistant: {H} [c3 f {}]", "assistant: I",
                          "assistant: J"));
}

TEST(OpenAiResponseRequest, SaysWhichItemIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"input": null})", "input is missing (input)"},
      {R"({"input": []})", "the input is empty (input)"},
      {R"({"input": 5})", "input is not an array (input)"},
      {R"({"input": [5]})", "input[0] is not a JSON object"},
      {R"({"input": [{"role": "user"}]})", "content is missing (input[0].content)"},
      {R"({"input": [{"role": "tool", "content": "x"}]})", "role is 'tool' (input[0].role)"},
      {R"({"input": [{"role": "user", "content": [{"type": "input_image"}]}]})",
       "content of type 'input_image' (input[0].content[0])"},
      {R"({"input": [{"type": "item_reference", "id": "x"}]})", "an item of type 'item_reference'"},
      {R"({"input": [{"type": "function_call", "name": "f"}]})", "(input[0].call_id)"},
      {R"({"input": [{"type": "function_call_output", "call_id": "c"}]})", "(input[0].output)"},
  };
  for (const auto& [more, error] : cases) EXPECT_THAT(ErrorWith(more), HasSubstr(error)) << more;
}

TEST(OpenAiResponseRequest, ReadsTools) {
  const std::string tools = R"({"tools": [{"type": "function", "name": "f", "strict": true,
      "description": "D", "parameters": {"type": "object"}}, {"type": "function", "name": "g"}]})";
  const ChatRequest chat = Chat(With(tools, R"({"tool_choice": {"type": "function", "name": "g"},
      "parallel_tool_calls": false})"));
  ASSERT_EQ(chat.tools.size(), 2u);
  EXPECT_EQ(chat.tools[0].description, "D");
  EXPECT_TRUE(chat.tools[0].strict);
  EXPECT_EQ(chat.tool_choice.kind, ToolChoice::Kind::kNamed);
  EXPECT_EQ(chat.tool_choice.name, "g");
  EXPECT_FALSE(chat.parallel_tool_calls);
  const ChatRequest allowed = Chat(With(tools, R"({"tool_choice": {"type": "allowed_tools",
      "mode": "auto", "tools": [{"type": "function", "name": "f"}]}})"));
  ASSERT_EQ(allowed.tools.size(), 1u);
  EXPECT_EQ(allowed.tools[0].name, "f");
  EXPECT_THAT(ErrorWith(R"({"tools": [{"type": "web_search"}]})"),
              HasSubstr("a tool of type 'web_search' (tools[0])"));
  EXPECT_THAT(ErrorWith(R"({"tools": [{"name": "f"}]})"), HasSubstr("type is missing"));
}

TEST(OpenAiResponseRequest, ReadsOptions) {
  const ChatRequest chat = Chat(R"({"max_output_tokens": 9, "temperature": 0, "top_p": 0.5,
      "reasoning": {"effort": "low"}, "top_logprobs": 2,
      "text": {"format": {"type": "json_schema", "name": "n", "schema": {}, "strict": true},
               "verbosity": "low"}})");
  EXPECT_EQ(chat.options.max_tokens, 9);
  EXPECT_EQ(chat.options.sampling.temperature, 0.0f);
  EXPECT_EQ(chat.options.sampling.top_p, 0.5f);
  EXPECT_EQ(chat.thinking, true);
  EXPECT_TRUE(chat.options.logprobs);
  EXPECT_EQ(chat.options.top_logprobs, 2);
  EXPECT_EQ(chat.options.format.kind, ResponseFormat::Kind::kJsonSchema);
  EXPECT_TRUE(chat.options.format.strict);
  EXPECT_TRUE(Chat(R"({"include": ["message.output_text.logprobs"]})").options.logprobs);
  EXPECT_FALSE(Chat(R"({"include": ["reasoning.encrypted_content"]})").options.logprobs);
  EXPECT_THAT(ErrorWith(R"({"text": {"format": {"type": "x"}}})"), HasSubstr("(text.format.type)"));
  EXPECT_THAT(ErrorWith(R"({"reasoning": {"effort": 5}})"), HasSubstr("(reasoning.effort)"));
}

TEST(OpenAiResponseRequest, RefusesWhatNeedsAMemory) {
  for (const char* key : {"previous_response_id", "conversation", "prompt"}) {
    EXPECT_THAT(ErrorWith(Json({{key, "x"}}).dump()), HasSubstr("is not supported"));
  }
  EXPECT_THAT(ErrorWith(R"({"background": true})"), HasSubstr("background is not supported"));
  EXPECT_EQ(ErrorWith(R"({"background": false, "store": true, "truncation": "auto",
      "max_tool_calls": 3, "metadata": {"a": "b"}, "user": "u", "previous_response_id": null})"),
            "none");
}

TEST(OpenAiResponseWriter, WritesWholeAnswers) {
  const ApiRequest request = ParseOrDie(
      ParseOpenAiResponse, With(kHello, R"({"temperature": 0, "metadata": {"k": "v"}})"));
  const Json json =
      Json::parse(request.make_writer(TestHead())->Whole(TestAnswer({.usage = TestUsage()})));
  EXPECT_EQ(json["id"], "resp_7");
  EXPECT_EQ(json["object"], "response");
  EXPECT_EQ(json["status"], "completed");
  EXPECT_EQ(json["temperature"], 0);
  EXPECT_EQ(json["metadata"].dump(), R"({"k":"v"})");
  EXPECT_EQ(json["store"], false);
  EXPECT_TRUE(json["incomplete_details"].is_null());
  EXPECT_EQ(json["output"].dump(),
            R"([{"id":"rs_7_0","type":"reasoning","status":"completed","summary":[],)"
            R"("content":[{"type":"reasoning_text","text":"Hm"}]},)"
            R"({"id":"msg_7_1","type":"message","status":"completed","role":"assistant",)"
            R"("content":[{"type":"output_text","text":"Let me see.","annotations":[],)"
            R"("logprobs":[]}]},)"
            R"({"id":"fc_7_2","type":"function_call","status":"completed","call_id":"call_7_0",)"
            R"("name":"f","arguments":"{\"a\": 1}"}])");
  EXPECT_EQ(json["usage"].dump(),
            R"({"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":5,)"
            R"("output_tokens_details":{"reasoning_tokens":2},"total_tokens":15})");
}

TEST(OpenAiResponseWriter, SaysWhatCutAnAnswerShort) {
  const auto writer = MakeOpenAiResponseWriter(TestHead(), {});
  Answer answer;
  answer.text = "Once";
  answer.end.reason = AnswerEnd::Reason::kLength;
  const Json json = Json::parse(writer->Whole(answer));
  EXPECT_EQ(json["status"], "incomplete");
  EXPECT_EQ(json["incomplete_details"]["reason"], "max_output_tokens");
}

// "type item_id/output_index what"
std::vector<std::string> Summarise(const std::vector<std::string>& payloads) {
  std::vector<std::string> lines;
  for (size_t i = 0; i < payloads.size(); ++i) {
    const Json json = Json::parse(payloads[i]);
    EXPECT_EQ(json["sequence_number"], i);
    std::string line = json["type"].get<std::string>().substr(9);
    if (json.contains("output_index")) line += " " + json["output_index"].dump();
    for (const char* key : {"item_id", "delta", "text", "arguments"}) {
      if (json.contains(key)) line += " " + json[key].get<std::string>();
    }
    if (json.contains("item")) {
      line += " " + json["item"]["id"].get<std::string>() + " " +
              json["item"]["status"].get<std::string>();
    }
    if (json.contains("part")) line += " " + json["part"]["text"].dump();
    if (json.contains("response")) {
      line += " " + json["response"]["status"].get<std::string>() + " " +
              std::to_string(json["response"]["output"].size());
    }
    lines.push_back(line);
  }
  return lines;
}

TEST(OpenAiResponseWriter, WritesStreams) {
  const auto writer = MakeOpenAiResponseWriter(TestHead(), {});
  EXPECT_THAT(
      Summarise(StreamOf(*writer, TestEvents(), {.usage = TestUsage()})),
      ElementsAre("created in_progress 0", "in_progress in_progress 0",
                  "output_item.added 0 rs_7_0 in_progress", "content_part.added 0 rs_7_0 \"\"",
                  "reasoning_text.delta 0 rs_7_0 Hm", "reasoning_text.done 0 rs_7_0 Hm",
                  "content_part.done 0 rs_7_0 \"Hm\"", "output_item.done 0 rs_7_0 completed",
                  "output_item.added 1 msg_7_1 in_progress", "content_part.added 1 msg_7_1 \"\"",
                  "output_text.delta 1 msg_7_1 Let me", "output_text.delta 1 msg_7_1  see.",
                  "output_text.done 1 msg_7_1 Let me see.",
                  "content_part.done 1 msg_7_1 \"Let me see.\"",
                  "output_item.done 1 msg_7_1 completed", "output_item.added 2 fc_7_2 in_progress",
                  "function_call_arguments.delta 2 fc_7_2 {\"a\"",
                  "function_call_arguments.delta 2 fc_7_2 : 1}",
                  "function_call_arguments.done 2 fc_7_2 {\"a\": 1}",
                  "output_item.done 2 fc_7_2 completed", "completed completed 3"));
}

TEST(OpenAiResponseWriter, EndsWithTheSameResponseEitherWay) {
  const AnswerEnd end{.usage = TestUsage()};
  const auto stream = StreamOf(*MakeOpenAiResponseWriter(TestHead(), {}), TestEvents(), end);
  const std::string whole = MakeOpenAiResponseWriter(TestHead(), {})->Whole(TestAnswer(end));
  EXPECT_EQ(Json::parse(stream.back())["response"].dump(), whole);
}

TEST(OpenAiResponseWriter, EndsHalfACallAsIncomplete) {
  std::vector<AnswerEvent> events = TestEvents();
  events.back().complete = false;
  const auto writer = MakeOpenAiResponseWriter(TestHead(), {});
  const auto lines = Summarise(StreamOf(*writer, events, {.reason = AnswerEnd::Reason::kLength}));
  EXPECT_EQ(lines[lines.size() - 2], "output_item.done 2 fc_7_2 incomplete");
  EXPECT_EQ(lines.back(), "incomplete incomplete 3");
}

TEST(OpenAiResponseWriter, GivesLogprobsWithTheText) {
  const auto writer = MakeOpenAiResponseWriter(TestHead(), {.logprobs = true, .echo = {}});
  const ChosenToken token = TestToken();
  const AnswerEvent text{.kind = AnswerEvent::Kind::kText, .text = "Le"};
  const auto payloads = Payloads(writer->Push({&text, 1}, {&token, 1}));
  ASSERT_EQ(payloads.size(), 3u);
  EXPECT_THAT(payloads[2], HasSubstr(R"("logprobs":[{"token":"Le","logprob":-0.5)"));
  EXPECT_THAT(writer->End({}), HasSubstr(R"("annotations":[],"logprobs":[{"token":"Le")"));
}

TEST(OpenAiResponseWriter, FailsWithAResponse) {
  const auto writer = MakeOpenAiResponseWriter(TestHead(), {});
  const AnswerEvent text{.kind = AnswerEvent::Kind::kText, .text = "Le"};
  writer->Push({&text, 1}, {});
  const auto payloads = Payloads(writer->Fail(InvalidInput("the disk is gone").error()));
  const Json json = Json::parse(payloads.back());
  EXPECT_EQ(json["type"], "response.failed");
  EXPECT_EQ(json["response"]["status"], "failed");
  EXPECT_EQ(json["response"]["error"]["message"], "the disk is gone");
  EXPECT_EQ(json["response"]["output"][0]["status"], "incomplete");
}

}  // namespace
}  // namespace flashmoe
