#include "tests/e2e/serving.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include "base/clock.h"

namespace flashmoe::e2e {

using nlohmann::json;

namespace {

std::vector<std::string> Arguments(const std::vector<std::string>& more) {
  std::vector<std::string> all = {"serve", "--port", "0"};
  all.insert(all.end(), more.begin(), more.end());
  return Flashmoe(all);
}

}  // namespace

Serving::Serving(const std::vector<std::string>& arguments, const std::string& cgroup_tasks)
    : process_(Arguments(arguments),
               {.seconds_max = kSanitized ? 1200.0 : 300.0, .cgroup_tasks = cgroup_tasks}) {
  const std::string mark = "http://127.0.0.1:";
  if (!process_.AwaitText("  try ")) {
    ADD_FAILURE() << "the server did not start: " << process_.Finish().err;
    return;
  }
  const std::string& text = process_.output();
  port_ = static_cast<uint16_t>(std::atoi(text.c_str() + text.find(mark) + mark.size()));
}

json Serving::Get(const std::string& path, const std::string& headers) const {
  const http::ClientResponse r = http::Ask(port_, "GET", path, "", headers);
  EXPECT_EQ(r.status, 200) << path << r.body;
  return json::parse(r.body, nullptr, false);
}

json Serving::Post(const std::string& path, const json& body, const std::string& headers) const {
  http::TestClient client(port_);
  client.Send(http::RequestText("POST", path, body.dump(), headers));
  const http::ClientResponse r = client.Receive(false, kSanitized ? 600 : 100);
  EXPECT_EQ(r.status, 200) << path << r.body;
  return json::parse(r.body, nullptr, false);
}

double Serving::Metric(const std::string& name) const {
  const std::string text = "\n" + http::Ask(port_, "GET", "/metrics").body;
  const size_t at = text.find("\n" + name + " ");
  EXPECT_NE(at, std::string::npos) << name;
  return at == std::string::npos ? -1 : std::strtod(text.c_str() + at + name.size() + 2, nullptr);
}

bool Serving::AwaitMetric(const std::string& name, double value) const {
  const double until = NowSeconds() + (kSanitized ? 120 : 20);
  while (Metric(name) != value) {
    if (NowSeconds() > until) return false;
    usleep(5000);
  }
  return true;
}

ProcessResult Serving::Stop() {
  Signal(SIGTERM);
  return Finish();
}

std::vector<json> Events(const std::string& stream) {
  std::vector<json> events;
  for (size_t at = 0; at < stream.size();) {
    const size_t end = std::min(stream.find('\n', at), stream.size());
    const std::string line = stream.substr(at, end - at);
    at = end + 1;
    if (!line.starts_with("data: ") || line == "data: [DONE]") continue;
    events.push_back(json::parse(line.substr(6), nullptr, false));
    EXPECT_FALSE(events.back().is_discarded()) << line;
  }
  return events;
}

json Chat(const std::string& message, int max_tokens) {
  return {{"messages", {{{"role", "user"}, {"content", message}}}},
          {"temperature", 0},
          {"max_tokens", max_tokens},
          {"chat_template_kwargs", {{"enable_thinking", false}}}};
}

std::string StreamedText(const std::string& stream) {
  std::string text;
  for (const json& event : Events(stream)) {
    if (!event.contains("choices") || event["choices"].empty()) continue;
    const json& delta = event["choices"][0]["delta"];
    if (delta.contains("content") && delta["content"].is_string()) text += delta["content"];
  }
  return text;
}

json EndlessStream(int max_tokens) {
  json bias;
  for (int id = 8183; id < 8192; ++id) bias[std::to_string(id)] = -100;  // the special tokens
  return {{"prompt", "The"}, {"stream", true},           {"temperature", 1},
          {"seed", 1},       {"max_tokens", max_tokens}, {"logit_bias", bias}};
}

}  // namespace flashmoe::e2e
