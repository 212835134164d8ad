// flashmoe serve, as programs on the other side of a socket see it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "base/clock.h"
#include "tests/e2e/models.h"
#include "tests/e2e/serving.h"

namespace flashmoe::e2e {
namespace {

using http::Ask;
using http::ClientResponse;
using http::RequestText;
using http::TestClient;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

const std::string kAsk(kQuestion);

json Tool(const std::string& name, const std::string& parameter) {
  return {{"type", "function"},
          {"function",
           {{"name", name},
            {"description", "Evaluate an arithmetic expression."},
            {"parameters",
             {{"type", "object"},
              {"properties", {{parameter, {{"type", "string"}}}}},
              {"required", {parameter}}}}}}};
}

// One server for the tests that leave it as it was.
class ServeTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new Serving(); }
  static void TearDownTestSuite() {
    const ProcessResult r = server_->Stop();
    EXPECT_EQ(r.exit_code, 0) << r.err;
    delete server_;
    server_ = nullptr;
  }
  static std::string Text(const json& completion) {
    return completion["choices"][0]["message"]["content"];
  }

  static Serving* server_;
};
Serving* ServeTest::server_ = nullptr;

TEST_F(ServeTest, SaysWhereAndHow) {
  const std::string url = "http://127.0.0.1:" + std::to_string(server_->port());
  EXPECT_THAT(server_->start_text(),
              AllOf(HasSubstr(url + "\n"), HasSubstr("OPENAI_BASE_URL=" + url + "/v1"),
                    HasSubstr("ANTHROPIC_BASE_URL=" + url + " "), HasSubstr("weights")));
  EXPECT_EQ(server_->Get("/health")["status"], "ok");
  const json models = server_->Get("/v1/models");
  EXPECT_EQ(models["data"][0]["id"], "ember-q4_k_m");
  EXPECT_EQ(server_->Get("/v1/models/ember-q4_k_m")["id"], "ember-q4_k_m");
  EXPECT_EQ(Ask(server_->port(), "GET", "/v1/models/gpt-5").status, 404);
}

TEST_F(ServeTest, AChatAnswersAsRunDoes) {
  const json run =
      ExpectJson(RunFlashmoe({"run", "-p", kAsk, "--temp", "0", "-n", "60", "--json"}));
  const json answer = server_->Post("/v1/chat/completions", Chat(kAsk));
  EXPECT_EQ(Text(answer), run["text"]);
  EXPECT_EQ(answer["choices"][0]["finish_reason"], run["finish_reason"]);
  EXPECT_EQ(answer["usage"]["prompt_tokens"], run["prompt_tokens"]);
  EXPECT_EQ(answer["usage"]["completion_tokens"], run["tokens"].size());
}

TEST_F(ServeTest, AStreamSaysTheSame) {
  const std::string whole = Text(server_->Post("/v1/chat/completions", Chat(kAsk)));
  json request = Chat(kAsk);
  request["stream"] = true;
  request["stream_options"] = {{"include_usage", true}};
  const ClientResponse r = Ask(server_->port(), "POST", "/v1/chat/completions", request.dump());
  EXPECT_EQ(r.headers.at("content-type"), "text/event-stream");
  EXPECT_TRUE(r.whole);
  EXPECT_EQ(StreamedText(r.body), whole);
  EXPECT_TRUE(r.body.ends_with("data: [DONE]\n\n"));
  EXPECT_GT(Events(r.body).back()["usage"]["completion_tokens"], 5);
}

TEST_F(ServeTest, EarlierMessagesCount) {
  json request = Chat("What is the capital of Mongolia?");
  const std::string first = Text(server_->Post("/v1/chat/completions", request));
  EXPECT_THAT(first, HasSubstr("Ulaanbaatar"));
  request["messages"].push_back({{"role", "assistant"}, {"content", first}});
  request["messages"].push_back({{"role", "user"}, {"content", kAsk}});
  EXPECT_THAT(Text(server_->Post("/v1/chat/completions", request)), HasSubstr("grep"));
}

TEST_F(ServeTest, AToolIsCalledAndItsResultUsed) {
  json request = Chat("What is 1234 + 4321?", 120);
  request["tools"] = {Tool("calculator", "expression")};
  json answer = server_->Post("/v1/chat/completions", request);
  EXPECT_EQ(answer["choices"][0]["finish_reason"], "tool_calls");
  const json message = answer["choices"][0]["message"];
  ASSERT_EQ(message["tool_calls"].size(), 1u) << message;
  EXPECT_EQ(message["tool_calls"][0]["function"]["name"], "calculator");
  const json arguments =
      json::parse(message["tool_calls"][0]["function"]["arguments"].get<std::string>());
  EXPECT_THAT(arguments["expression"].get<std::string>(),
              AllOf(HasSubstr("1234"), HasSubstr("4321")));

  request["messages"].push_back(message);
  request["messages"].push_back(
      {{"role", "tool"}, {"tool_call_id", message["tool_calls"][0]["id"]}, {"content", "5555"}});
  answer = server_->Post("/v1/chat/completions", request);
  EXPECT_EQ(answer["choices"][0]["finish_reason"], "stop");
  EXPECT_THAT(Text(answer), HasSubstr("5555"));
}

TEST_F(ServeTest, ANamedToolMustBeCalled) {
  json request = Chat("Tell me a story.", 200);
  json bash = Tool("bash", "command");
  // Ember has no idea what to run, and would not come to an end.
  bash["function"]["parameters"]["properties"]["command"]["maxLength"] = 40;
  request["tools"] = {Tool("calculator", "expression"), bash};
  request["tool_choice"] = {{"type", "function"}, {"function", {{"name", "bash"}}}};
  const json message = server_->Post("/v1/chat/completions", request)["choices"][0]["message"];
  ASSERT_GE(message["tool_calls"].size(), 1u) << message;
  EXPECT_EQ(message["tool_calls"][0]["function"]["name"], "bash");
}

TEST_F(ServeTest, ASchemaIsKept) {
  json request = Chat("Describe Paris.", 200);
  request["response_format"] = {{"type", "json_schema"},
                                {"json_schema",
                                 {{"name", "city"},
                                  {"strict", true},
                                  {"schema",
                                   {{"type", "object"},
                                    {"properties",
                                     {{"country", {{"type", "string"}, {"maxLength", 20}}},
                                      {"size", {{"enum", {"small", "large"}}}}}},
                                    {"required", {"country", "size"}},
                                    {"additionalProperties", false}}}}}};
  const json answer = json::parse(Text(server_->Post("/v1/chat/completions", request)));
  EXPECT_EQ(answer.size(), 2u);
  EXPECT_TRUE(answer["country"].is_string());
  EXPECT_THAT(answer["size"].get<std::string>(), testing::AnyOf("small", "large"));
}

TEST_F(ServeTest, AnthropicMessages) {
  const json request = {{"model", "any"},
                        {"max_tokens", 60},
                        {"temperature", 0},
                        {"thinking", {{"type", "disabled"}}},
                        {"messages", {{{"role", "user"}, {"content", kAsk}}}}};
  const json answer = server_->Post("/v1/messages", request);
  EXPECT_EQ(answer["type"], "message");
  const std::string text = answer["content"].back()["text"];
  EXPECT_THAT(text, HasSubstr("grep"));
  json counted = request;
  counted.erase("max_tokens");
  counted.erase("temperature");
  EXPECT_EQ(server_->Post("/v1/messages/count_tokens", counted)["input_tokens"].get<int>(),
            answer["usage"]["input_tokens"].get<int>() +
                answer["usage"].value("cache_read_input_tokens", 0));

  json streamed = request;
  streamed["stream"] = true;
  const ClientResponse r = Ask(server_->port(), "POST", "/v1/messages", streamed.dump());
  std::string joined;
  for (const json& event : Events(r.body)) {
    if (event["type"] == "content_block_delta") joined += event["delta"].value("text", "");
  }
  EXPECT_EQ(joined, text);
  EXPECT_EQ(Events(r.body).back()["type"], "message_stop");
}

TEST_F(ServeTest, OpenAiResponses) {
  const json request = {
      {"model", "any"}, {"input", kAsk}, {"temperature", 0}, {"max_output_tokens", 200}};
  const json answer = server_->Post("/v1/responses", request);
  EXPECT_EQ(answer["object"], "response");
  EXPECT_THAT(answer["output"].dump(), HasSubstr("grep"));
}

TEST_F(ServeTest, CompletionsAndTokens) {
  const json answer =
      server_->Post("/v1/completions",
                    {{"prompt", "The cat"}, {"max_tokens", 5}, {"temperature", 0}, {"echo", true}});
  EXPECT_THAT(answer["choices"][0]["text"].get<std::string>(), testing::StartsWith("The cat"));
  EXPECT_EQ(answer["usage"]["completion_tokens"], 5);
  const json tokens = server_->Post("/tokenize", {{"content", "The cat"}});
  EXPECT_EQ(server_->Post("/detokenize", tokens)["content"], "The cat");
}

TEST_F(ServeTest, ThePageIsThere) {
  const ClientResponse page = Ask(server_->port(), "GET", "/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.headers.at("content-encoding"), "gzip");
  EXPECT_THAT(page.headers.at("content-security-policy"), HasSubstr("default-src 'none'"));
  EXPECT_TRUE(page.body.starts_with("\x1f\x8b"));
  const ClientResponse again =
      Ask(server_->port(), "GET", "/", "", "If-None-Match: " + page.headers.at("etag") + "\r\n");
  EXPECT_EQ(again.status, 304);
}

TEST_F(ServeTest, WhatIsWrongIsSaidInTheApisForm) {
  const uint16_t port = server_->port();
  const ClientResponse no_json = Ask(port, "POST", "/v1/chat/completions", "{nonsense");
  EXPECT_EQ(no_json.status, 400);
  EXPECT_TRUE(json::parse(no_json.body)["error"].contains("message"));
  const ClientResponse no_messages = Ask(port, "POST", "/v1/messages", "{\"max_tokens\":1}");
  EXPECT_EQ(no_messages.status, 400);
  EXPECT_EQ(json::parse(no_messages.body)["type"], "error");
  EXPECT_EQ(Ask(port, "GET", "/v1/chat/completions").status, 405);
  EXPECT_EQ(Ask(port, "GET", "/../../etc/passwd").status, 404);
  EXPECT_EQ(Ask(port, "GET", "/%2e%2e/etc/passwd").status, 404);
  json long_prompt = {{"prompt", std::string(40'000, 'x')}};
  const ClientResponse too_long = Ask(port, "POST", "/v1/completions", long_prompt.dump());
  EXPECT_EQ(too_long.status, 400) << too_long.body;
  EXPECT_THAT(too_long.body, HasSubstr("context"));
  TestClient rebound(port);
  rebound.Send("GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  EXPECT_EQ(rebound.Receive().status, 421);
}

TEST_F(ServeTest, AClientThatLeavesEndsItsAnswer) {
  const double cancelled = server_->Metric("flashmoe_requests_ended_total{reason=\"cancelled\"}");
  {
    TestClient client(server_->port());
    client.Send(RequestText("POST", "/v1/completions", EndlessStream(3000).dump()));
    ASSERT_TRUE(client.Await("data: "));
    ASSERT_TRUE(server_->AwaitMetric("flashmoe_requests_running", 1));
  }
  EXPECT_TRUE(
      server_->AwaitMetric("flashmoe_requests_ended_total{reason=\"cancelled\"}", cancelled + 1));
  EXPECT_EQ(server_->Metric("flashmoe_requests_running"), 0);
}

TEST_F(ServeTest, EightClientsGetWhatEachGetsAlone) {
  const std::vector<std::string> questions = {kAsk,
                                              "What is the capital of Mongolia?",
                                              "What is 17 + 25?",
                                              "Tell me a story about a fox.",
                                              "What does the ls command do?",
                                              "What is the capital of France?",
                                              "Hello!",
                                              "What does the tar command do?"};
  std::vector<std::string> alone, together(questions.size());
  for (const std::string& question : questions) {
    alone.push_back(Text(server_->Post("/v1/chat/completions", Chat(question))));
  }
  std::vector<std::thread> clients;
  for (size_t i = 0; i < questions.size(); ++i) {
    clients.emplace_back([&, i] {
      json request = Chat(questions[i]);
      request["stream"] = i % 2 == 0;
      TestClient client(server_->port());
      client.Send(RequestText("POST", "/v1/chat/completions", request.dump()));
      const ClientResponse r = client.Receive(false, 100);
      together[i] = i % 2 == 0 ? StreamedText(r.body) : Text(json::parse(r.body));
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(together, alone);
}

TEST_F(ServeTest, TheLiveFeedShowsTheExperts) {
  TestClient watcher(server_->port());
  watcher.Send(RequestText("GET", "/v1/flashmoe/live"));
  ASSERT_TRUE(watcher.Await("}\n\n"));
  TestClient client(server_->port());
  client.Send(RequestText("POST", "/v1/completions", EndlessStream(3000).dump()));
  ASSERT_TRUE(client.Await("data: "));
  ASSERT_TRUE(watcher.Await("\"running\":1"));
  const std::string& seen = watcher.buffered();
  const size_t line = seen.rfind("data: ", seen.find("\"running\":1"));
  ASSERT_TRUE(watcher.Await("\n\n"));
  const json event =
      json::parse(seen.substr(line + 6, seen.find("\n\n", line) - line - 6), nullptr, false);
  ASSERT_FALSE(event.is_discarded());
  EXPECT_EQ(event["experts"]["layers"], 8);
  EXPECT_EQ(event["experts"]["per_layer"], 20);
  EXPECT_EQ(event["experts"]["state"].get<std::string>().size(), 216u);
  EXPECT_GT(event["context_limit"], 0);
  EXPECT_GT(event["memory"]["checkpoints"], 0);
}

// About 700 tokens of system prompt, which ember was not made for: what it says does not matter.
json LongChat() {
  std::string system;
  for (int i = 0; i < 150; ++i) system += "The cat sat on the mat. ";
  json request = Chat("What is 17 + 25?", 8);
  const json message = {{"role", "system"}, {"content", system}};
  request["messages"].insert(request["messages"].begin(), message);
  return request;
}

int CachedTokens(const json& answer) {
  return answer["usage"]["prompt_tokens_details"]["cached_tokens"];
}

TEST(ServePrefixTest, WhatWasReadIsRememberedAlsoByTheNextServer) {
  const Folder folder;
  json first;
  {
    Serving server({"--cache-dir", folder.path()});
    first = server.Post("/v1/chat/completions", LongChat());
    EXPECT_EQ(CachedTokens(first), 0);
    json other = LongChat();
    other["messages"][1]["content"] = "What is 5 + 5?";
    EXPECT_GT(CachedTokens(server.Post("/v1/chat/completions", other)), 500);
    EXPECT_EQ(server.Stop().exit_code, 0);
  }
  {
    Serving server({"--cache-dir", folder.path()});
    const json again = server.Post("/v1/chat/completions", LongChat());
    EXPECT_GT(CachedTokens(again), 500);
    EXPECT_EQ(again["choices"], first["choices"]);
    server.Stop();
  }
  // A file that is damaged is named and ignored.
  ASSERT_FALSE(folder.Names().empty());
  for (const std::string& name : folder.Names()) {
    WriteAt(folder.File(name), ReadFile(folder.File(name)).size() / 2, "damaged");
  }
  Serving server({"--cache-dir", folder.path()});
  EXPECT_EQ(server.Post("/v1/chat/completions", LongChat())["choices"], first["choices"]);
  EXPECT_THAT(server.Stop().err, HasSubstr(".checkpoint"));
}

TEST(ServeQueueTest, AFullQueueIsToldWhenToComeAgain) {
  Serving server({"--slots", "1", "--queue", "1"});
  TestClient running(server.port()), waiting(server.port());
  running.Send(RequestText("POST", "/v1/completions", EndlessStream(3500).dump()));
  ASSERT_TRUE(server.AwaitMetric("flashmoe_requests_running", 1));
  waiting.Send(RequestText("POST", "/v1/completions", EndlessStream(5).dump()));
  ASSERT_TRUE(server.AwaitMetric("flashmoe_requests_queued", 1));
  const ClientResponse third =
      Ask(server.port(), "POST", "/v1/chat/completions", Chat("Hi").dump());
  EXPECT_EQ(third.status, 429) << third.body;
  EXPECT_GT(std::atoi(third.headers.at("retry-after").c_str()), 0);
  EXPECT_TRUE(json::parse(third.body).contains("error"));
  running.Close();
  EXPECT_TRUE(waiting.Await("[DONE]"));
}

TEST(ServeStopTest, RunningAnswersEnd) {
  Serving server({"--stop-seconds", "60"});
  TestClient client(server.port());
  client.Send(RequestText("POST", "/v1/completions", EndlessStream(200).dump()));
  ASSERT_TRUE(client.Await("data: "));
  server.Signal(SIGTERM);
  EXPECT_TRUE(client.Await("[DONE]", 60));
  const ProcessResult r = server.Finish();
  EXPECT_EQ(r.exit_code, 0);
  EXPECT_THAT(r.err, HasSubstr("flashmoe: stopped\n"));
}

TEST(ServeStopTest, ButOnlyForTheStatedTime) {
  Serving server({"--stop-seconds", "0.3"});
  TestClient client(server.port());
  client.Send(RequestText("POST", "/v1/completions", EndlessStream(100'000).dump()));
  ASSERT_TRUE(client.Await("data: "));
  const double asked = NowSeconds();
  server.Signal(SIGINT);
  EXPECT_TRUE(client.Await("stopping"));
  const ProcessResult r = server.Finish();
  EXPECT_EQ(r.exit_code, 0);
  EXPECT_LT(NowSeconds() - asked, kSanitized ? 60 : 6);
  EXPECT_THAT(r.err, HasSubstr("cut off"));
}

TEST(ServeKeyTest, KeysOpen) {
  const Folder folder;
  Serving server({"--host", "0.0.0.0", "--api-key-file",
                  folder.Write("keys", "first-secret-key\n\nsecond-secret-key\r\n")});
  EXPECT_EQ(server.Get("/health")["status"], "ok");
  EXPECT_EQ(Ask(server.port(), "GET", "/v1/models").status, 401);
  EXPECT_EQ(Ask(server.port(), "GET", "/metrics", "", "x-api-key: third-secret-key\r\n").status,
            401);
  server.Get("/v1/models", "Authorization: Bearer first-secret-key\r\n");
  server.Get("/v1/models", "x-api-key: second-secret-key\r\n");
}

TEST(ServeKeyTest, OtherNetworksNeedOne) {
  const ProcessResult open = RunFlashmoe({"serve", "--host", "0.0.0.0", "--port", "0"});
  EXPECT_EQ(open.exit_code, 2);
  EXPECT_THAT(open.err, AllOf(HasSubstr("--api-key-file"), HasSubstr("--no-auth")));
  const Folder folder;
  EXPECT_THAT(ExpectRefusal(RunFlashmoe(
                  {"serve", "--port", "0", "--api-key-file", folder.Write("keys", "\n")})),
              HasSubstr("no key"));
  EXPECT_THAT(ExpectRefusal(RunFlashmoe({"serve", "--port", "0", "--api-key", "short"})),
              HasSubstr("guessed"));
}

TEST(ServeKeyTest, APortInUseIsAnError) {
  Serving server;
  EXPECT_THAT(ExpectRefusal(RunFlashmoe({"serve", "--port", std::to_string(server.port())})),
              HasSubstr("--port"));
}

}  // namespace
}  // namespace flashmoe::e2e
