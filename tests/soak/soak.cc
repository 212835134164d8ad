// Eight clients at once for as long as you like: some stay, some leave in the middle, some read
// slowly, some send nonsense. Every answer must equal the one that its client gets alone.
//
//   soak SECONDS [arguments of flashmoe serve...]
//
// Prints one JSON object; the exit code is 1 if anything was lost, mixed up or left behind.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "base/clock.h"
#include "tests/e2e/serving.h"

namespace flashmoe::e2e {
namespace {

using http::ClientResponse;
using http::RequestText;
using http::TestClient;
using nlohmann::json;

constexpr int kClients = 8;

const std::vector<std::string> kQuestions = {
    "What does the grep command do?", "What is the capital of Mongolia?", "What is 17 + 25?",
    "Tell me a story about a fox.",   "What does the ls command do?",     "Hello!",
    "What is the capital of France?", "What does the tar command do?",    "What is 9 * 8?",
    "Tell me a story about a lamp.",  "What does the sed command do?",    "Who are you?"};

struct Tally {
  std::mutex mutex;
  std::map<std::string, int64_t> counts;
  std::vector<std::string> problems;

  void Count(const std::string& what) {
    const std::lock_guard lock(mutex);
    ++counts[what];
  }
  void Problem(std::string what) {
    const std::lock_guard lock(mutex);
    if (problems.size() < 20) problems.push_back(std::move(what));
    ++counts["problems"];
  }
};

std::string WholeText(const std::string& body) {
  const json answer = json::parse(body, nullptr, false);
  if (answer.is_discarded() || !answer.contains("choices")) return "no answer: " + body;
  return answer["choices"][0]["message"].value("content", "");
}

class Client {
 public:
  Client(const Serving& server, const std::vector<std::string>& alone, Tally& tally, int number)
      : server_(server), alone_(alone), tally_(tally), random_(number) {}

  void Run(double until) {
    while (NowSeconds() < until) {
      const int roll = Roll(100);
      if (roll < 30)
        Ask(false);
      else if (roll < 60)
        Ask(true);
      else if (roll < 75)
        LeaveEarly();
      else if (roll < 83)
        ReadSlowly();
      else if (roll < 88)
        SendTooMuch();
      else if (roll < 93)
        SendNonsense();
      else if (roll < 97)
        SendHalf();
      else
        Pipeline();
    }
  }

 private:
  int Roll(int n) { return std::uniform_int_distribution<int>(0, n - 1)(random_); }

  void Check(const std::string& kind, size_t question, const ClientResponse& r, bool streamed) {
    if (r.status == 429) return tally_.Count(kind + ": told to come again");
    const std::string text = streamed ? StreamedText(r.body) : WholeText(r.body);
    if (r.status != 200 || !r.whole) {
      tally_.Problem(fmt::format("{}: status {}, {}", kind, r.status, r.whole ? "whole" : "cut"));
    } else if (text != alone_[question]) {
      tally_.Problem(fmt::format("{}: '{}' instead of '{}'", kind, text, alone_[question]));
    } else {
      tally_.Count(kind + ": as alone");
    }
  }

  std::string Request(size_t question, bool stream) {
    json request = Chat(kQuestions[question]);
    request["stream"] = stream;
    return RequestText("POST", "/v1/chat/completions", request.dump());
  }

  void Ask(bool stream) {
    const size_t question = static_cast<size_t>(Roll(static_cast<int>(kQuestions.size())));
    TestClient client(server_.port());
    client.Send(Request(question, stream));
    Check(stream ? "stream" : "whole", question, client.Receive(false, 300), stream);
  }

  void LeaveEarly() {
    TestClient client(server_.port());
    client.Send(RequestText("POST", "/v1/completions", EndlessStream(2000).dump()));
    if (Roll(2) == 0) client.Await("data: ", 60);
    usleep(static_cast<useconds_t>(Roll(100'000)));
    if (Roll(2) == 0) client.Reset();
    tally_.Count("left early");
  }

  void ReadSlowly() {
    const size_t question = static_cast<size_t>(Roll(static_cast<int>(kQuestions.size())));
    TestClient client(server_.port(), 2048);
    client.Send(Request(question, true));
    usleep(static_cast<useconds_t>(500'000 + Roll(1'500'000)));
    Check("slow reader", question, client.Receive(false, 300), true);
  }

  void Expect(const std::string& kind, const std::string& bytes, int status) {
    TestClient client(server_.port());
    client.Send(bytes);
    const int got = client.Receive(false, 60).status;
    if (got == status) tally_.Count(kind);
    if (got != status) tally_.Problem(fmt::format("{}: status {}", kind, got));
  }

  void SendTooMuch() {
    if (Roll(2) == 0) {
      Expect("body too large",
             RequestText("POST", "/v1/chat/completions", std::string((16 << 20) + 1, 'x')), 413);
    } else {
      Expect("prompt too long",
             RequestText("POST", "/v1/chat/completions", Chat(std::string(60'000, 'x')).dump()),
             400);
    }
  }

  void SendNonsense() {
    static const std::vector<std::pair<std::string, int>> kNonsense = {
        {"\x16\x03\x01\x02\x00\r\n\r\n", 400},
        {"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", 404},
        {RequestText("POST", "/v1/chat/completions", "{\"messages\":"), 400},
        {RequestText("POST", "/v1/messages", "[]"), 400},
        {RequestText("DELETE", "/v1/models"), 405},
        {"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421}};
    const auto& [bytes, status] = kNonsense[static_cast<size_t>(Roll(6))];
    Expect("nonsense", bytes, status);
  }

  void SendHalf() {
    TestClient client(server_.port());
    const std::string request = Request(0, true);
    client.Send(request.substr(0, static_cast<size_t>(Roll(static_cast<int>(request.size())))));
    usleep(static_cast<useconds_t>(Roll(50'000)));
    tally_.Count("half a request");
  }

  void Pipeline() {
    TestClient client(server_.port());
    const auto count = static_cast<int>(kQuestions.size());
    const size_t questions[] = {static_cast<size_t>(Roll(count)), static_cast<size_t>(Roll(count))};
    client.Send(Request(questions[0], false) + Request(questions[1], true));
    Check("pipelined", questions[0], client.Receive(false, 300), false);
    Check("pipelined", questions[1], client.Receive(false, 300), true);
  }

  const Serving& server_;
  const std::vector<std::string>& alone_;
  Tally& tally_;
  std::mt19937_64 random_;
};

// What so many clients get that ask one question after another.
json Speed(const Serving& server, int clients, double seconds) {
  const auto count = [&] {
    return std::array{server.Metric("flashmoe_generated_tokens_total"),
                      server.Metric("flashmoe_step_tokens_total"),
                      server.Metric("flashmoe_expert_read_bytes_total")};
  };
  const auto before = count();
  const double began = NowSeconds();
  std::vector<std::thread> threads;
  for (int c = 0; c < clients; ++c) {
    threads.emplace_back([&, c] {
      for (size_t i = static_cast<size_t>(c); NowSeconds() < began + seconds; ++i) {
        server.Post("/v1/chat/completions", Chat(kQuestions[i % kQuestions.size()]));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double took = NowSeconds() - began;
  const auto after = count();
  return {{"tokens_per_s", (after[0] - before[0]) / took},
          {"bytes_read_a_token", (after[2] - before[2]) / (after[1] - before[1])}};
}

int Soak(double seconds, const std::vector<std::string>& arguments) {
  Serving server(arguments);
  std::vector<std::string> alone;
  for (const std::string& question : kQuestions) {
    alone.push_back(WholeText(server.Post("/v1/chat/completions", Chat(question)).dump()));
  }
  json speeds;
  for (const int clients : {1, 2, 4, kClients}) {
    speeds[std::to_string(clients)] = Speed(server, clients, 5);
  }

  const double resident_before = server.Metric("flashmoe_memory_resident_bytes");
  double resident_halfway = 0, resident_most = 0;
  const double began = NowSeconds();
  Tally tally;
  std::vector<std::thread> threads;
  for (int c = 0; c < kClients; ++c) {
    threads.emplace_back([&, c] { Client(server, alone, tally, c).Run(began + seconds); });
  }
  while (NowSeconds() < began + seconds) {
    usleep(250'000);
    const double resident = server.Metric("flashmoe_memory_resident_bytes");
    resident_most = std::max(resident_most, resident);
    if (NowSeconds() < began + seconds / 2) resident_halfway = resident;
  }
  for (std::thread& thread : threads) thread.join();

  if (!server.AwaitMetric("flashmoe_requests_running", 0)) tally.Problem("a request still runs");
  if (!server.AwaitMetric("flashmoe_http_connections", 1)) tally.Problem("a connection is left");
  const json report = {{"seconds", seconds},
                       {"by_clients", speeds},
                       {"budget_bytes", server.Metric("flashmoe_memory_budget_bytes")},
                       {"resident_bytes",
                        {{"before", resident_before},
                         {"halfway", resident_halfway},
                         {"end", server.Metric("flashmoe_memory_resident_bytes")},
                         {"most", resident_most}}},
                       {"counts", tally.counts},
                       {"problems", tally.problems}};
  const ProcessResult end = server.Stop();
  std::puts(report.dump(1).c_str());
  std::fputs(end.err.c_str(), stderr);
  return tally.counts["problems"] == 0 && end.exit_code == 0 ? 0 : 1;
}

}  // namespace
}  // namespace flashmoe::e2e

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 0;
  if (seconds <= 0) {
    std::fputs("usage: soak SECONDS [arguments of flashmoe serve...]\n", stderr);
    return 2;
  }
  testing::InitGoogleTest(&argc, argv);
  return flashmoe::e2e::Soak(seconds, {argv + 2, argv + argc});
}
