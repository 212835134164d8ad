#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/api_request.h"
#include "api/openai_completions_writer.h"
#include "api/test_support.h"

namespace flashmoe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Json = nlohmann::ordered_json;

CompletionRequest Completion(const std::string& more) {
  ApiRequest request = ParseOrDie(ParseOpenAiCompletion, With(R"({"prompt": "Once"})", more));
  return std::get<CompletionRequest>(std::move(request.input));
}
std::string ErrorWith(const std::string& more) {
  return ErrorOf(ParseOpenAiCompletion, With(R"({"prompt": "Once"})", more));
}

TEST(OpenAiCompletionRequest, ReadsPrompts) {
  const auto text = [](const char* more) { return std::get<std::string>(Completion(more).prompt); };
  const auto tokens = [](const char* more) {
    return std::get<std::vector<int32_t>>(Completion(more).prompt);
  };
  EXPECT_EQ(text("{}"), "Once");
  EXPECT_EQ(text(R"({"prompt": ["Twice"]})"), "Twice");
  EXPECT_THAT(tokens(R"({"prompt": [1, 2]})"), ElementsAre(1, 2));
  EXPECT_THAT(tokens(R"({"prompt": [[3]]})"), ElementsAre(3));
  EXPECT_THAT(ErrorWith(R"({"prompt": null})"), HasSubstr("prompt is missing"));
  EXPECT_THAT(ErrorWith(R"({"prompt": ["a", "b"]})"), HasSubstr("2 prompts at once (prompt)"));
  EXPECT_THAT(ErrorWith(R"({"prompt": [1, "b"]})"), HasSubstr("entry 1 is no token (prompt)"));
  for (const char* bad : {R"({"prompt": []})", R"({"prompt": {}})", R"({"prompt": [[]]})",
                          R"({"prompt": [-1]})", R"({"prompt": [[[1]]]})", R"({"prompt": [1.5]})",
                          R"({"prompt": [99999999]})", R"({"prompt": 5})"}) {
    EXPECT_THAT(ErrorWith(bad), HasSubstr("(prompt")) << bad;
  }
}

TEST(OpenAiCompletionRequest, ReadsOptions) {
  EXPECT_EQ(Completion("{}").options.max_tokens, 16);
  EXPECT_FALSE(Completion("{}").options.logprobs);
  const CompletionRequest request = Completion(R"({"max_tokens": 3, "logprobs": 0, "stop": ["x"],
      "temperature": 0, "response_format": {"type": "json_object"}})");
  EXPECT_EQ(request.options.max_tokens, 3);
  EXPECT_TRUE(request.options.logprobs);
  EXPECT_EQ(request.options.top_logprobs, 0);
  EXPECT_THAT(request.options.stop, ElementsAre("x"));
  EXPECT_EQ(request.options.sampling.temperature, 0.0f);
  EXPECT_EQ(request.options.format.kind, ResponseFormat::Kind::kJsonObject);
  EXPECT_TRUE(Completion(R"({"echo": true})").echo);
}

TEST(OpenAiCompletionRequest, RefusesWhatWouldChangeTheAnswer) {
  EXPECT_THAT(ErrorWith(R"({"n": 2})"), HasSubstr("n is 2 (n)"));
  EXPECT_THAT(ErrorWith(R"({"best_of": 2})"), HasSubstr("best_of is 2 (best_of)"));
  EXPECT_THAT(ErrorWith(R"({"suffix": "x"})"), HasSubstr("suffix is not supported"));
  EXPECT_THAT(ErrorWith(R"({"echo": true, "logprobs": 1})"), HasSubstr("(echo)"));
  EXPECT_EQ(ErrorWith(R"({"n": 1, "best_of": 1, "suffix": "", "user": "u"})"), "none");
}

TEST(OpenAiCompletionWriter, WritesWholeAnswers) {
  const auto writer = MakeOpenAiCompletionWriter(TestHead(), {.logprobs = true});
  Answer answer;
  answer.text = " upon";
  answer.tokens = {TestToken(), TestToken()};
  answer.end = {.reason = AnswerEnd::Reason::kLength, .usage = TestUsage()};
  EXPECT_EQ(writer->Whole(answer),
            R"({"id":"cmpl-7","object":"text_completion","created":1700000000,"model":"ember",)"
            R"("choices":[{"index":0,"text":" upon","logprobs":{"tokens":["Le","Le"],)"
            R"("token_logprobs":[-0.5,-0.5],"top_logprobs":[)"
            "{\"Le\":-0.5,\"\xEF\xBF\xBD\":-9999.0},{\"Le\":-0.5,\"\xEF\xBF\xBD\":-9999.0}],"
            R"("text_offset":[0,2]},"finish_reason":"length"}],)"
            R"("usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,)"
            R"("prompt_tokens_details":{"cached_tokens":4},)"
            R"("completion_tokens_details":{"reasoning_tokens":2}}})");
}

TEST(OpenAiCompletionWriter, WritesStreams) {
  const ApiRequest request = ParseOrDie(ParseOpenAiCompletion, R"({"prompt": "Once", "stream": true,
                                 "stream_options": {"include_usage": true}})");
  EXPECT_TRUE(request.stream);
  const std::vector<AnswerEvent> events = {{.kind = AnswerEvent::Kind::kText, .text = " upon"}};
  const auto payloads = StreamOf(*request.make_writer(TestHead()), events, {.usage = TestUsage()});
  ASSERT_EQ(payloads.size(), 4u);
  const auto choice = [&](size_t i) { return Json::parse(payloads[i])["choices"][0].dump(); };
  EXPECT_EQ(choice(0), R"({"index":0,"text":" upon","logprobs":null,"finish_reason":null})");
  EXPECT_EQ(choice(1), R"({"index":0,"text":"","logprobs":null,"finish_reason":"stop"})");
  EXPECT_EQ(Json::parse(payloads[2])["usage"]["total_tokens"], 15);
  EXPECT_EQ(payloads[3], "[DONE]");
}

TEST(OpenAiCompletionWriter, CountsOffsetsThroughAStream) {
  const auto writer = MakeOpenAiCompletionWriter(TestHead(), {.logprobs = true});
  const AnswerEvent text{.kind = AnswerEvent::Kind::kText, .text = "Le"};
  const ChosenToken token = TestToken();
  EXPECT_THAT(writer->Push({&text, 1}, {&token, 1}), HasSubstr("\"text_offset\":[0]"));
  EXPECT_THAT(writer->Push({&text, 1}, {&token, 1}), HasSubstr("\"text_offset\":[2]"));
}

}  // namespace
}  // namespace flashmoe
