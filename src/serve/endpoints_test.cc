#include "serve/endpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "serve/live_feed.h"
#include "serve/metrics.h"
#include "serve/model_server.h"
#include "serve/test_exchange.h"
#include "serve/text_endpoints.h"

namespace flashmoe {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST(RefusalTest, HasTheFormOfTheApi) {
  http::Request request;
  request.path = "/v1/messages";
  const http::Refusal refusal{401, "a key is needed", {}};
  const json anthropic = json::parse(RenderRefusal(request, refusal).body);
  EXPECT_EQ(anthropic["type"], "error");
  EXPECT_EQ(anthropic["error"]["message"], "a key is needed");
  request.path = "/v1/chat/completions";
  const json openai = json::parse(RenderRefusal(request, refusal).body);
  EXPECT_FALSE(openai.contains("type"));
  EXPECT_EQ(openai["error"]["message"], "a key is needed");
}

TEST(TokenizeTest, ThereAndBack) {
  TestExchange exchange("/tokenize", R"({"content": "The cat <|im_end|>"})");
  Tokenize(EmberText(), exchange);
  const json tokens = json::parse(exchange.response().body);
  EXPECT_EQ(tokens["tokens"], EmberText().tokenizer.Encode("The cat <|im_end|>"));
  TestExchange back("/detokenize", tokens.dump());
  Detokenize(EmberText(), back);
  EXPECT_EQ(json::parse(back.response().body)["content"], "The cat <|im_end|>");
}

TEST(TokenizeTest, RefusesWhatIsNoRequest) {
  for (const std::string body : {"", "[]", "{}", R"({"content": 1})",
                                 R"({"content":"a","add_special":1})", "{\"content\":\"\xff\"}"}) {
    TestExchange exchange("/tokenize", body);
    Tokenize(EmberText(), exchange);
    EXPECT_EQ(exchange.response().status, 400) << body;
  }
  for (const std::string body :
       {"", "{}", R"({"tokens": 1})", R"({"tokens": [-1]})", R"({"tokens": [1.5]})",
        R"({"tokens": [99999999999]})", R"({"tokens": ["a"]})"}) {
    TestExchange exchange("/detokenize", body);
    Detokenize(EmberText(), exchange);
    EXPECT_EQ(exchange.response().status, 400) << body;
  }
}

TEST(LoopbackTest, OnlyThisMachine) {
  for (const char* host : {"127.0.0.1", "127.1.2.3", "localhost", "::1"}) {
    EXPECT_TRUE(IsLoopback(host)) << host;
  }
  for (const char* host : {"0.0.0.0", "::", "192.168.1.2", "example.org", "127.evil.example", ""}) {
    EXPECT_FALSE(IsLoopback(host)) << host;
  }
}

// Every sample belongs to the family that was described before it.
TEST(MetricsTest, IsPrometheusText) {
  SchedulerStats jobs;
  jobs.running = 2;
  jobs.first_token.Add(0.02);
  http::ServerStats server;
  server.requests_by_status[200] = 7;
  EnginePlan plan;
  plan.memory.dense = 5;
  const std::string text = MetricsText(jobs, server, plan, 123);
  EXPECT_THAT(text, HasSubstr("\nflashmoe_requests_running 2\n"));
  EXPECT_THAT(text, HasSubstr("\nflashmoe_first_token_seconds_bucket{le=\"0.01\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\nflashmoe_first_token_seconds_bucket{le=\"0.025\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\nflashmoe_first_token_seconds_bucket{le=\"+Inf\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\nflashmoe_http_requests_total{status=\"200\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("\nflashmoe_memory_planned_bytes{use=\"dense\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("\nflashmoe_memory_resident_bytes 123\n"));
  std::istringstream lines(text);
  std::string line, family;
  while (std::getline(lines, line)) {
    if (line.starts_with("# TYPE ")) family = line.substr(7, line.find(' ', 7) - 7);
    EXPECT_TRUE(line.starts_with('#') || line.starts_with(family)) << line;
  }
}

TEST(Base64Test, KnownTexts) {
  const auto encode = [](std::string_view s) {
    return Base64({reinterpret_cast<const uint8_t*>(s.data()), s.size()});
  };
  EXPECT_EQ(encode(""), "");
  EXPECT_EQ(encode("f"), "Zg==");
  EXPECT_EQ(encode("fo"), "Zm8=");
  EXPECT_EQ(encode("foo"), "Zm9v");
  EXPECT_EQ(encode("\xff\xfe\xfd\xfc"), "//79/A==");
}

TEST(LiveFeedTest, GathersOnlyWhileSomebodyListens) {
  std::atomic<int> looks = 0, observers = 0;
  const Backend backend = {.submit = {},
                           .stats = [] { return SchedulerStats(); },
                           .inspect =
                               [&](const auto&) {
                                 ++looks;
                                 return true;
                               },
                           .observe = [&](auto observer) { observers = observer != nullptr; }};
  LiveFeed feed(backend, EnginePlan(), {2, 3}, 0.01);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(looks, 0);

  const auto listener = std::make_shared<TestExchange>();
  feed.Listen(listener);
  const auto await = [](auto&& condition) {
    for (int i = 0; i < 5000 && !condition(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return condition();
  };
  ASSERT_TRUE(
      await([&] { return listener->response().body.find("}\n\ndata: {") != std::string::npos; }));
  EXPECT_EQ(observers, 1);
  const std::string body = listener->response().body;
  const json event = json::parse(body.substr(6, body.find("\n\n") - 6));
  EXPECT_EQ(event["experts"]["layers"], 2);
  EXPECT_EQ(event["experts"]["per_layer"], 3);
  EXPECT_EQ(event["experts"]["state"], "AAAAAAAA");
  EXPECT_TRUE(event["hit_rate"].is_null());

  listener->Leave();
  ASSERT_TRUE(await([&] { return listener->ended() && observers == 0; }));
  const int then = looks;
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(looks, then);

  const auto last = std::make_shared<TestExchange>();
  feed.Listen(last);
  feed.Stop();
  EXPECT_TRUE(last->ended());
}

}  // namespace
}  // namespace flashmoe
