// A server under test and its clients.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "http/test_client.h"
#include "tests/e2e/process.h"

namespace flashmoe::e2e {

// flashmoe serve on a port of its own, with the bundled model unless `arguments` name another; in
// the control group of the file `cgroup_tasks`, if that is set.
class Serving {
 public:
  explicit Serving(const std::vector<std::string>& arguments = {},
                   const std::string& cgroup_tasks = "");

  uint16_t port() const { return port_; }
  const std::string& start_text() const { return process_.output(); }

  nlohmann::json Get(const std::string& path, const std::string& headers = "") const;
  // Expects status 200.
  nlohmann::json Post(const std::string& path, const nlohmann::json& body,
                      const std::string& headers = "") const;
  // A sample of /metrics by its full name.
  double Metric(const std::string& name) const;
  // Waits until it is so many.
  bool AwaitMetric(const std::string& name, double value) const;

  void Signal(int number) const { process_.Signal(number); }
  ProcessResult Finish() { return process_.Finish(); }
  // SIGTERM and the end.
  ProcessResult Stop();

 private:
  Process process_;
  uint16_t port_ = 0;
};

// The JSON objects of a stream of server-sent events; "[DONE]" is left out.
std::vector<nlohmann::json> Events(const std::string& stream);

// One user's message, greedy and without thinking.
nlohmann::json Chat(const std::string& message, int max_tokens = 60);
// The text of a stream of chat completion chunks.
std::string StreamedText(const std::string& stream);
// A completion that goes on for as many tokens as it may.
nlohmann::json EndlessStream(int max_tokens);

}  // namespace flashmoe::e2e
