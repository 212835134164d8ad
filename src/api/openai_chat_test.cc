#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/api_request.h"
#include "api/openai_chat_writer.h"
#include "api/test_support.h"

namespace flashmoe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kHello = R"({"model": "m", "messages": [{"role": "user", "content": "Hi"}]})";
constexpr const char* kTools = R"({"tools": [
    {"type": "function", "function": {"name": "f", "description": "Does it.", "strict": true,
     "parameters": {"type": "object", "properties": {"b": {}, "a": {}}}}},
    {"function": {"name": "g"}}]})";

ChatRequest Chat(const std::string& more = "{}") {
  return ChatOf(ParseOpenAiChat, With(kHello, more));
}
std::string ErrorWith(const std::string& more) {
  return ErrorOf(ParseOpenAiChat, With(kHello, more));
}

TEST(OpenAiChatRequest, NeedsMessagesAlone) {
  const ApiRequest request = ParseOrDie(ParseOpenAiChat, kHello);
  EXPECT_EQ(request.model, "m");
  EXPECT_FALSE(request.stream);
  const ChatRequest chat = Chat();
  EXPECT_THAT(Describe(chat.messages), ElementsAre("user: Hi"));
  EXPECT_TRUE(chat.tools.empty());
  EXPECT_FALSE(chat.thinking.has_value());
  EXPECT_FALSE(chat.options.max_tokens.has_value());
  EXPECT_EQ(chat.options.format.kind, ResponseFormat::Kind::kText);
}

TEST(OpenAiChatRequest, ReadsEveryRole) {
  const ChatRequest chat = Chat(R"({"messages": [
      {"role": "system", "content": "A"},
      {"role": "developer", "content": [{"type": "text", "text": "B"}]},
      {"role": "user", "name": "x", "content": [{"type": "text", "text": "C"}, {"text": "D"}]},
      {"role": "assistant", "content": null, "reasoning_content": "R", "tool_calls": [
          {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}},
          {"id": "c2", "type": "function", "function": {"name": "g", "arguments": {"b": 2}}}]},
      {"role": "tool", "tool_call_id": "c1", "content": "E"},
      {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "F"}]},
      {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
      {"role": "assistant", "refusal": "Never.", "reasoning": "S"},
      {"role": "user", "content": ""}]})");
  EXPECT_THAT(Describe(chat.messages),
              ElementsAre("system: A\n\nB", "user: C\nD",
                          "assistant: {R} [c1 f {\"a\": 1}] [c2 g {\"b\":2}]", "tool(c1): E",
                          "tool(c2): F", "assistant: No.", "assistant: {S} Never.", "user:"));
}

TEST(OpenAiChatRequest, SaysWhichMessageIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"messages": []})", "there are no messages (messages)"},
      {R"({"messages": null})", "messages is missing (messages)"},
      {R"({"messages": "Hi"})", "messages is not an array (messages)"},
      {R"({"messages": ["Hi"]})", "messages[0] is not a JSON object (messages[0])"},
      {R"({"messages": [{"content": "x"}]})", "role is missing (messages[0].role)"},
      {R"({"messages": [{"role": "robot", "content": "x"}]})",
       "role is 'robot' (messages[0].role): it may be system, developer, user, assistant, tool"},
      {R"({"messages": [{"role": "user"}]})", "content is missing (messages[0].content)"},
      {R"({"messages": [{"role": "user", "content": 5}]})", "(messages[0].content)"},
      {R"({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]})",
       "content of type 'image_url' (messages[0].content[0]): this model reads text only"},
      {R"({"messages": [{"role": "user", "content": [{"type": "text"}]}]})",
       "text is missing (messages[0].content[0].text)"},
      {R"({"messages": [{"role": "assistant", "tool_calls": [{"id": "x"}]}]})",
       "function is missing (messages[0].tool_calls[0].function)"},
      {R"({"messages": [{"role": "assistant", "tool_calls": [{"type": "custom"}]}]})",
       "type is 'custom'"},
      {R"({"messages": [{"role": "assistant", "function_call": {"name": "f"}}]})",
       "function_call is not supported"},
      {R"({"messages": [{"role": "assistant", "audio": {"id": "f"}}]})", "audio is not supported"},
  };
  for (const auto& [more, error] : cases) EXPECT_THAT(ErrorWith(more), HasSubstr(error)) << more;
}

TEST(OpenAiChatRequest, ReadsTools) {
  const ChatRequest chat = Chat(kTools);
  ASSERT_EQ(chat.tools.size(), 2u);
  EXPECT_EQ(chat.tools[0].name, "f");
  EXPECT_EQ(chat.tools[0].description, "Does it.");
  EXPECT_TRUE(chat.tools[0].strict);
  EXPECT_EQ(DumpJson(chat.tools[0].parameters),
            R"({"type":"object","properties":{"b":{},"a":{}}})");
  EXPECT_TRUE(chat.tools[1].parameters.is_null());
  EXPECT_TRUE(chat.parallel_tool_calls);
  EXPECT_TRUE(chat.MayCallTools());
  EXPECT_THAT(ErrorWith(R"({"tools": [{"type": "custom", "custom": {"name": "f"}}]})"),
              HasSubstr("type is 'custom' (tools[0].type)"));
  EXPECT_THAT(ErrorWith(R"({"tools": [{"function": {}}]})"), HasSubstr("name is missing"));
  EXPECT_THAT(ErrorWith(R"({"tools": [{"function": {"name": "a b"}}]})"),
              HasSubstr("'a b' is no name for a tool (tools[0].function.name)"));
  EXPECT_THAT(ErrorWith(R"({"tools": [{"function": {"name": "f", "parameters": []}}]})"),
              HasSubstr("parameters is not an object"));
  EXPECT_THAT(ErrorWith(R"({"tools": [{"function": {"name": "f"}}, {"function": {"name": "f"}}]})"),
              HasSubstr("two tools are named 'f' (tools[1].function.name)"));
}

TEST(OpenAiChatRequest, ReadsToolChoices) {
  using Kind = ToolChoice::Kind;
  const auto with = [](const char* more) { return Chat(With(kTools, more)); };
  EXPECT_EQ(Chat(kTools).tool_choice.kind, Kind::kAuto);
  EXPECT_EQ(with(R"({"tool_choice": "auto"})").tool_choice.kind, Kind::kAuto);
  EXPECT_EQ(with(R"({"tool_choice": "required"})").tool_choice.kind, Kind::kRequired);
  EXPECT_FALSE(with(R"({"tool_choice": "none"})").MayCallTools());
  EXPECT_FALSE(with(R"({"parallel_tool_calls": false})").parallel_tool_calls);
  const ChatRequest named =
      with(R"({"tool_choice": {"type": "function", "function": {"name": "g"}}})");
  EXPECT_EQ(named.tool_choice.kind, Kind::kNamed);
  EXPECT_EQ(named.tool_choice.name, "g");
  const ChatRequest allowed = with(R"({"tool_choice": {"type": "allowed_tools", "allowed_tools":
      {"mode": "required", "tools": [{"type": "function", "function": {"name": "g"}}]}}})");
  EXPECT_EQ(allowed.tool_choice.kind, Kind::kRequired);
  ASSERT_EQ(allowed.tools.size(), 1u);
  EXPECT_EQ(allowed.tools[0].name, "g");

  EXPECT_THAT(ErrorWith(R"({"tool_choice": "required"})"), HasSubstr("there are no tools"));
  const auto error = [](const char* more) { return ErrorWith(With(kTools, more)); };
  EXPECT_THAT(error(R"({"tool_choice": {"type": "function", "function": {"name": "h"}}})"),
              HasSubstr("tool_choice names 'h', which is none of the tools (tool_choice)"));
  EXPECT_THAT(error(R"({"tool_choice": {"type": "function"}})"), HasSubstr("function is missing"));
  EXPECT_THAT(error(R"({"tool_choice": {"type": "custom"}})"), HasSubstr("type is 'custom'"));
  EXPECT_THAT(error(R"({"tool_choice": "any"})"), HasSubstr("tool_choice is 'any'"));
  EXPECT_THAT(error(R"({"tool_choice": 5})"), HasSubstr("tool_choice is not a string"));
}

TEST(OpenAiChatRequest, ReadsSampling) {
  const SamplingChoices s = Chat(R"({"temperature": 0.5, "top_p": 0.9, "min_p": 0.1, "top_k": 20,
      "presence_penalty": 1, "frequency_penalty": -1, "repetition_penalty": 1.1, "seed": -2,
      "logit_bias": {"5": -100, "7": 1.5}})")
                                .options.sampling;
  EXPECT_EQ(s.temperature, 0.5f);
  EXPECT_EQ(s.top_p, 0.9f);
  EXPECT_EQ(s.min_p, 0.1f);
  EXPECT_EQ(s.top_k, 20);
  EXPECT_EQ(s.presence_penalty, 1.0f);
  EXPECT_EQ(s.frequency_penalty, -1.0f);
  EXPECT_EQ(s.repetition_penalty, 1.1f);
  EXPECT_EQ(s.seed, static_cast<uint64_t>(-2));
  EXPECT_THAT(s.logit_bias, ElementsAre(std::pair(5, -100.0f), std::pair(7, 1.5f)));
  EXPECT_EQ(Chat(R"({"top_k": -1})").options.sampling.top_k, 0);

  const std::pair<const char*, const char*> cases[] = {
      {R"({"temperature": "hot"})", "temperature is not a number (temperature)"},
      {R"({"temperature": -1})", "temperature is -1 (temperature): it must lie between 0 and 100"},
      {R"({"temperature": 1e300})", "temperature is 1e+300 (temperature)"},
      {R"({"top_p": 2})", "(top_p)"},
      {R"({"presence_penalty": 3})", "(presence_penalty)"},
      {R"({"frequency_penalty": 3})", "(frequency_penalty)"},
      {R"({"top_k": 1.5})", "top_k is not a whole number (top_k)"},
      {R"({"seed": "x"})", "seed is not a whole number (seed)"},
      {R"({"logit_bias": {"the": 1}})", "'the' is no token (logit_bias.the)"},
      {R"({"logit_bias": {"-1": 1}})", "logit_bias names token -1 (logit_bias)"},
      {R"({"logit_bias": {"1": 101}})", "logit_bias of token 1 is 101 (logit_bias)"},
      {R"({"logit_bias": [1]})", "logit_bias is not a JSON object"},
  };
  for (const auto& [more, error] : cases) EXPECT_THAT(ErrorWith(more), HasSubstr(error)) << more;
}

TEST(OpenAiChatRequest, ReadsLimitsAndStops) {
  EXPECT_EQ(Chat(R"({"max_tokens": 5})").options.max_tokens, 5);
  EXPECT_EQ(Chat(R"({"max_tokens": 5, "max_completion_tokens": 6.0})").options.max_tokens, 6);
  EXPECT_THAT(ErrorWith(R"({"max_tokens": 0})"), HasSubstr("it must be 1 or more"));
  EXPECT_THAT(Chat(R"({"stop": "a"})").options.stop, ElementsAre("a"));
  EXPECT_THAT(Chat(R"({"stop": ["a", "b"]})").options.stop, ElementsAre("a", "b"));
  EXPECT_THAT(Chat(R"({"stop": []})").options.stop, ElementsAre());
  for (const char* bad : {R"({"stop": ""})", R"({"stop": ["a", 5]})", R"({"stop": {}})",
                          R"({"stop": ["","","","","","","","","","","","","","","","",""]})"}) {
    EXPECT_THAT(ErrorWith(bad), HasSubstr("stop is not understood (stop)")) << bad;
  }
}

TEST(OpenAiChatRequest, ReadsLogprobs) {
  EXPECT_FALSE(Chat().options.logprobs);
  const AnswerOptions options = Chat(R"({"logprobs": true, "top_logprobs": 3})").options;
  EXPECT_TRUE(options.logprobs);
  EXPECT_EQ(options.top_logprobs, 3);
  EXPECT_THAT(ErrorWith(R"({"top_logprobs": 3})"), HasSubstr("top_logprobs needs logprobs"));
  EXPECT_THAT(ErrorWith(R"({"logprobs": true, "top_logprobs": 21})"),
              HasSubstr("between 0 and 20"));
}

TEST(OpenAiChatRequest, ReadsResponseFormats) {
  using Kind = ResponseFormat::Kind;
  const auto format = [](const char* more) { return Chat(more).options.format; };
  EXPECT_EQ(format(R"({"response_format": {"type": "text"}})").kind, Kind::kText);
  EXPECT_EQ(format(R"({"response_format": {"type": "json_object"}})").kind, Kind::kJsonObject);
  const ResponseFormat schema = format(R"({"response_format": {"type": "json_schema",
      "json_schema": {"name": "n", "strict": true, "schema": {"type": "object"}}}})");
  EXPECT_EQ(schema.kind, Kind::kJsonSchema);
  EXPECT_EQ(schema.name, "n");
  EXPECT_TRUE(schema.strict);
  EXPECT_EQ(DumpJson(schema.schema), R"({"type":"object"})");
  EXPECT_THAT(ErrorWith(R"({"response_format": {"type": "xml"}})"),
              HasSubstr("type is 'xml' (response_format.type)"));
  EXPECT_THAT(ErrorWith(R"({"response_format": {"type": "json_schema"}})"),
              HasSubstr("json_schema is missing"));
  EXPECT_THAT(ErrorWith(R"({"response_format": {"type": "json_schema", "json_schema": {}}})"),
              HasSubstr("schema is missing (response_format.json_schema.schema)"));
  EXPECT_THAT(
      ErrorWith(R"({"response_format": {"type": "json_schema", "json_schema": {"schema": 5}}})"),
      HasSubstr("schema is not an object"));
}

TEST(OpenAiChatRequest, ReadsHowToThink) {
  EXPECT_EQ(Chat(R"({"reasoning_effort": "none"})").thinking, false);
  const ChatRequest high = Chat(R"({"reasoning_effort": "high"})");
  EXPECT_EQ(high.thinking, true);
  EXPECT_EQ(DumpJson(high.template_kwargs), R"({"reasoning_effort":"xhigh"})");
  const ChatRequest kwargs =
      Chat(R"({"chat_template_kwargs": {"enable_thinking": false, "preserve_thinking": true}})");
  EXPECT_EQ(kwargs.thinking, false);
  EXPECT_EQ(DumpJson(kwargs.template_kwargs), R"({"preserve_thinking":true})");
  EXPECT_THAT(ErrorWith(R"({"reasoning_effort": "huge"})"), HasSubstr("(reasoning_effort)"));
  EXPECT_THAT(ErrorWith(R"({"chat_template_kwargs": {"enable_thinking": 1}})"),
              HasSubstr("(chat_template_kwargs.enable_thinking)"));
  EXPECT_THAT(ErrorWith(R"({"chat_template_kwargs": []})"), HasSubstr("is not a JSON object"));
}

TEST(OpenAiChatRequest, RefusesWhatWouldChangeTheAnswer) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"n": 2})", "n is 2 (n)"},
      {R"({"modalities": ["text", "audio"]})", "(modalities[1])"},
      {R"({"audio": {"voice": "x"}})", "audio is not supported"},
      {R"({"functions": [{"name": "f"}]})", "functions is not supported (functions): use tools"},
      {R"({"function_call": "auto"})", "function_call is not supported"},
      {R"({"web_search_options": {"a": 1}})", "web_search_options is not supported"},
  };
  for (const auto& [more, error] : cases) EXPECT_THAT(ErrorWith(more), HasSubstr(error)) << more;
  EXPECT_EQ(ErrorWith(R"({"n": 1, "modalities": ["text"], "functions": [], "audio": null})"),
            "none");
}

TEST(OpenAiChatRequest, IgnoresTheRest) {
  EXPECT_EQ(ErrorWith(R"({"user": "u", "metadata": {"a": "b"}, "store": true,
      "service_tier": "auto", "prediction": {}, "verbosity": "low", "prompt_cache_key": "k",
      "safety_identifier": "s", "unheard_of": [1]})"),
            "none");
}

TEST(OpenAiChatRequest, RefusesWhatIsNoRequest) {
  EXPECT_THAT(ErrorOf(ParseOpenAiChat, "{"), HasSubstr("malformed JSON"));
  EXPECT_THAT(ErrorOf(ParseOpenAiChat, "[]"), HasSubstr("the request is not a JSON object"));
  EXPECT_THAT(ErrorWith(R"({"stream": "yes"})"), HasSubstr("stream is not true or false"));
  EXPECT_THAT(ErrorWith(R"({"stream_options": 1})"), HasSubstr("(stream_options)"));
}

TEST(OpenAiChatWriter, WritesWholeAnswers) {
  const auto writer = MakeOpenAiChatWriter(TestHead(), {});
  EXPECT_EQ(writer->Whole(TestAnswer({.usage = TestUsage()})),
            R"({"id":"chatcmpl-7","object":"chat.completion","created":1700000000,"model":"ember",)"
            R"("choices":[{"index":0,"message":{"role":"assistant","content":"Let me see.",)"
            R"("refusal":null,"reasoning_content":"Hm","tool_calls":[{"id":"call_7_0",)"
            R"("type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}}]},)"
            R"("logprobs":null,"finish_reason":"tool_calls"}],)"
            R"("usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,)"
            R"("prompt_tokens_details":{"cached_tokens":4},)"
            R"("completion_tokens_details":{"reasoning_tokens":2}}})");
}

TEST(OpenAiChatWriter, SaysWhyAnAnswerEnded) {
  const auto finish = [](const Answer& answer) {
    const auto json = nlohmann::json::parse(MakeOpenAiChatWriter(TestHead(), {})->Whole(answer));
    return json["choices"][0]["finish_reason"].get<std::string>();
  };
  EXPECT_EQ(finish({}), "stop");
  Answer answer;
  answer.end.reason = AnswerEnd::Reason::kLength;
  EXPECT_EQ(finish(answer), "length");
  EXPECT_EQ(finish(TestAnswer({.reason = AnswerEnd::Reason::kLength})), "length");
}

TEST(OpenAiChatWriter, HasNoContentBesideCallsAlone) {
  Answer answer;
  answer.calls = {{"", "f", "{}"}};
  const auto json = nlohmann::json::parse(MakeOpenAiChatWriter(TestHead(), {})->Whole(answer));
  EXPECT_TRUE(json["choices"][0]["message"]["content"].is_null());
}

TEST(OpenAiChatWriter, WritesLogprobs) {
  const auto writer = MakeOpenAiChatWriter(TestHead(), {.logprobs = true});
  Answer answer;
  answer.tokens = {TestToken()};
  const std::string entry = R"({"token":"Le","logprob":-0.5,"bytes":[76,101],"top_logprobs":[)"
                            R"({"token":"Le","logprob":-0.5,"bytes":[76,101]},)"
                            "{\"token\":\"\xEF\xBF\xBD\",\"logprob\":-9999.0,\"bytes\":[195]}]}";
  EXPECT_THAT(writer->Whole(answer),
              HasSubstr("\"logprobs\":{\"content\":[" + entry + "],\"refusal\":null}"));
  // In a stream they go with the text that is certain next.
  const ChosenToken token = TestToken();
  EXPECT_EQ(writer->Push({}, {&token, 1}), "");
  const AnswerEvent text{.kind = AnswerEvent::Kind::kText, .text = "Let"};
  EXPECT_THAT(writer->Push({&text, 1}, {}), HasSubstr(entry));
  EXPECT_THAT(writer->Push({&text, 1}, {}), HasSubstr("\"logprobs\":null"));
  writer->Push({}, {&token, 1});
  EXPECT_THAT(writer->End({}), HasSubstr(entry));
}

std::string Chunk(const std::string& delta, const std::string& finish = "null") {
  return R"({"id":"chatcmpl-7","object":"chat.completion.chunk","created":1700000000,)"
         R"("model":"ember","choices":[{"index":0,"delta":)" +
         delta + R"(,"logprobs":null,"finish_reason":)" + finish + "}]}";
}

TEST(OpenAiChatWriter, WritesStreams) {
  const auto writer = MakeOpenAiChatWriter(TestHead(), {});
  EXPECT_THAT(
      StreamOf(*writer, TestEvents(), {.usage = TestUsage()}),
      ElementsAre(Chunk(R"({"role":"assistant","content":""})"),
                  Chunk(R"({"reasoning_content":"Hm"})"), Chunk(R"({"content":"Let me"})"),
                  Chunk(R"({"content":" see."})"),
                  Chunk(R"({"tool_calls":[{"index":0,"id":"call_7_0","type":"function",)"
                        R"("function":{"name":"f","arguments":""}}]})"),
                  Chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]})"),
                  Chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":": 1}"}}]})"),
                  Chunk("{}", "\"tool_calls\""), "[DONE]"));
}

TEST(OpenAiChatWriter, EndsStreamsWithHalfACallAsTheModelDid) {
  std::vector<AnswerEvent> events = TestEvents();
  events.back().complete = false;
  const auto writer = MakeOpenAiChatWriter(TestHead(), {});
  EXPECT_EQ(StreamOf(*writer, events, {.reason = AnswerEnd::Reason::kLength})[7],
            Chunk("{}", "\"length\""));
  EXPECT_EQ(StreamOf(*MakeOpenAiChatWriter(TestHead(), {}), events, {})[7],
            Chunk("{}", "\"stop\""));
}

TEST(OpenAiChatWriter, TellsUsageInStreamsIfAsked) {
  const ApiRequest request =
      ParseOrDie(ParseOpenAiChat,
                 With(kHello, R"({"stream": true, "stream_options": {"include_usage": true}})"));
  EXPECT_TRUE(request.stream);
  const auto writer = request.make_writer(TestHead());
  const auto payloads = StreamOf(*writer, {}, {.usage = TestUsage()});
  ASSERT_EQ(payloads.size(), 4u);
  EXPECT_THAT(payloads[0], HasSubstr("\"usage\":null"));
  EXPECT_EQ(payloads[2],
            R"({"id":"chatcmpl-7","object":"chat.completion.chunk","created":1700000000,)"
            R"("model":"ember","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,)"
            R"("total_tokens":15,"prompt_tokens_details":{"cached_tokens":4},)"
            R"("completion_tokens_details":{"reasoning_tokens":2}}})");
  EXPECT_EQ(payloads[3], "[DONE]");
}

TEST(OpenAiChatWriter, EndsAStreamWithAnError) {
  const auto writer = MakeOpenAiChatWriter(TestHead(), {});
  EXPECT_EQ(writer->Fail(Fail(ErrorCode::kIo, "the disk is gone").error()),
            "data: {\"error\":{\"message\":\"the disk is gone\",\"type\":\"server_error\","
            "\"param\":null,\"code\":null}}\n\n");
  EXPECT_EQ(writer->KeepAlive(), ": still at work\n\n");
}

}  // namespace
}  // namespace flashmoe
