#include "serve/answer_flow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/test_exchange.h"

namespace flashmoe {
namespace {

using testing::HasSubstr;

// Writes what it is given so that a test can read it.
class PlainWriter final : public AnswerWriter {
 public:
  std::string Whole(const Answer& answer) override {
    std::string text = "whole:" + answer.reasoning + "|" + answer.text;
    for (const ToolCall& call : answer.calls) text += "|" + call.name + call.arguments;
    for (const ChosenToken& token : answer.tokens) text += "|" + token.chosen.bytes;
    return text + Usage(answer.end);
  }
  std::string Begin(int64_t prompt_tokens) override {
    return "begin " + std::to_string(prompt_tokens) + ";";
  }
  std::string Push(std::span<const AnswerEvent> events,
                   std::span<const ChosenToken> tokens) override {
    std::string text;
    for (const AnswerEvent& event : events) text += event.text + ";";
    for (const ChosenToken& token : tokens) text += "#" + token.chosen.bytes + ";";
    return text;
  }
  std::string End(const AnswerEnd& end) override { return "end" + Usage(end); }
  std::string Fail(const Error& error) override { return "fail " + error.what; }

 private:
  static std::string Usage(const AnswerEnd& end) {
    return (end.reason == AnswerEnd::Reason::kLength ? " length " : " stop ") + end.stop_string +
           std::to_string(end.usage.prompt_tokens) + "+" +
           std::to_string(end.usage.completion_tokens) + " cached " +
           std::to_string(end.usage.cached_tokens) + " thought " +
           std::to_string(end.usage.reasoning_tokens);
  }
};

constexpr std::string_view kCall =
    "<tool_call>\n<function=list>\n<parameter=path>\nx\n</parameter>\n</function>\n</tool_call>";

class AnswerFlowTest : public testing::Test {
 protected:
  void Start(bool stream, PreparedRequest prepared = {}) {
    prepared.generate.prompt = {1, 2, 3};
    AnswerFlow::Parts parts{exchange_, std::make_unique<PlainWriter>(), ApiStyle::kOpenAi, stream};
    flow_ = std::make_shared<AnswerFlow>(EmberText(), std::move(parts), std::move(prepared));
    job_ = flow_->MakeJob();
  }
  bool Say(std::string_view text, int32_t token = 5) {
    AnswerPiece piece;
    piece.text = text;
    piece.token = token;
    return job_.on_piece(piece);
  }
  void End(FinishReason finish = FinishReason::kStop, std::string stop_string = "") {
    GenerateResult result;
    result.finish = finish;
    result.stop_string = std::move(stop_string);
    result.prompt_tokens = 3;
    result.prompt_tokens_reused = 2;
    result.tokens = {5, 5};
    job_.on_end(std::move(result));
  }
  std::string body() const { return exchange_->response().body; }

  std::shared_ptr<TestExchange> exchange_ = std::make_shared<TestExchange>();
  std::shared_ptr<AnswerFlow> flow_;
  Job job_;
};

TEST_F(AnswerFlowTest, AStreamBeginsWhenTheJobIsTaken) {
  Start(true);
  EXPECT_FALSE(exchange_->streaming());
  flow_->Begin();
  EXPECT_TRUE(exchange_->streaming());
  EXPECT_EQ(exchange_->response().content_type, "text/event-stream");
  EXPECT_FALSE(exchange_->response().heartbeat.empty());
  EXPECT_EQ(body(), "begin 3;");
  EXPECT_TRUE(Say("Hello"));
  EXPECT_TRUE(Say(""));
  End();
  EXPECT_EQ(body(), "begin 3;Hello;end stop 3+2 cached 2 thought 0");
  EXPECT_TRUE(exchange_->ended());
}

TEST_F(AnswerFlowTest, AStreamMayBeginWithItsFirstPiece) {
  Start(true);
  EXPECT_TRUE(Say("early"));
  flow_->Begin();
  End(FinishReason::kLength);
  EXPECT_EQ(body(), "begin 3;early;end length 3+2 cached 2 thought 0");
}

TEST_F(AnswerFlowTest, ALimitWithinAMarkSendsNothingOfIt) {
  PreparedRequest prepared;
  prepared.parser.tool_calls = true;
  Start(true, std::move(prepared));
  EXPECT_TRUE(Say("Yes.\n<tool"));
  flow_->Begin();
  End(FinishReason::kLength);
  EXPECT_EQ(body(), "begin 3;Yes.;end length 3+2 cached 2 thought 0");
}

TEST_F(AnswerFlowTest, AWholeAnswerIsSentAtTheEnd) {
  PreparedRequest prepared;
  prepared.parser.starts_in_thinking = true;
  prepared.logprobs = true;
  Start(false, std::move(prepared));
  flow_->Begin();
  Say("Hm.");
  Say("</think>\n\n");
  Say("Yes.");
  EXPECT_FALSE(exchange_->ended());
  End();
  EXPECT_THAT(body(), testing::StartsWith("whole:Hm.|Yes.|"));
  EXPECT_THAT(body(), HasSubstr("thought 2"));
}

TEST_F(AnswerFlowTest, TheStopStringThatEndedAnAnswerIsTold) {
  for (const bool stream : {false, true}) {
    exchange_ = std::make_shared<TestExchange>();
    Start(stream);
    Say("One");
    End(FinishReason::kStop, ", two");
    EXPECT_THAT(body(), HasSubstr(" stop , two3+2")) << stream;
  }
}

TEST_F(AnswerFlowTest, OneCallEndsTheAnswerWhereMoreAreNotWanted) {
  PreparedRequest prepared;
  prepared.parser.tool_calls = true;
  prepared.parser.tools = {{"list", "", {{"type", "object"}}, false}};
  prepared.parallel_calls = false;
  Start(false, std::move(prepared));
  EXPECT_FALSE(Say(kCall));
  End();
  EXPECT_THAT(body(), HasSubstr("|list{\"path\":"));
}

TEST_F(AnswerFlowTest, AClientThatLeftEndsTheJob) {
  Start(true);
  flow_->Begin();
  exchange_->Leave();
  EXPECT_TRUE(job_.cancel->IsSet());
  EXPECT_FALSE(Say("nobody reads this"));
}

TEST_F(AnswerFlowTest, TheEchoComesFirst) {
  PreparedRequest prepared;
  prepared.is_chat = false;
  prepared.echo = "The cat";
  Start(true, std::move(prepared));
  flow_->Begin();
  Say(" <think> sat");
  End();
  EXPECT_THAT(body(), testing::StartsWith("begin 3;The cat; <think> sat;end"));
}

TEST_F(AnswerFlowTest, ErrorsHaveTheirStatusOrTheirEvent) {
  Start(false);
  job_.on_end(Fail(ErrorCode::kIo, "the disk failed"));
  EXPECT_EQ(exchange_->response().status, 500);
  EXPECT_THAT(body(), HasSubstr("the disk failed"));

  exchange_ = std::make_shared<TestExchange>();
  Start(true);
  flow_->Begin();
  job_.on_end(Fail(ErrorCode::kIo, "the disk failed"));
  EXPECT_EQ(body(), "begin 3;fail the disk failed");
  EXPECT_TRUE(exchange_->ended());
}

TEST_F(AnswerFlowTest, AFullQueueSaysWhenToComeAgain) {
  Start(true);
  flow_->Refuse({ErrorCode::kBusy, "the queue is full", {}, {}, 7});
  EXPECT_EQ(exchange_->response().status, 429);
  EXPECT_EQ(exchange_->header("Retry-After"), "7");
}

TEST_F(AnswerFlowTest, AStoppingServerSaysSo) {
  Start(false);
  End(FinishReason::kCancelled);
  EXPECT_EQ(exchange_->response().status, 503);
  EXPECT_NE(exchange_->header("Retry-After"), "");
}

}  // namespace
}  // namespace flashmoe
