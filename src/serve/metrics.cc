#include "serve/metrics.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

namespace flashmoe {
namespace {

class Exposition {
 public:
  void Family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = fmt::format("flashmoe_{}", name);
    fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name_, help, name_,
                   type);
  }
  template <typename T>
  void Sample(T value, std::string_view labels = {}) {
    fmt::format_to(std::back_inserter(text_), "{}{} {}\n", name_, labels, value);
  }
  template <typename T>
  void Counter(std::string_view name, std::string_view help, T value) {
    Family(name, "counter", help);
    Sample(value);
  }
  template <typename T>
  void Gauge(std::string_view name, std::string_view help, T value) {
    Family(name, "gauge", help);
    Sample(value);
  }
  void Histogram(std::string_view name, std::string_view help, const LatencyHistogram& h) {
    Family(name, "histogram", help);
    auto out = std::back_inserter(text_);
    for (size_t i = 0; i < h.below.size(); ++i) {
      fmt::format_to(out, "{}_bucket{{le=\"{}\"}} {}\n", name_, h.kBoundsS[i], h.below[i]);
    }
    fmt::format_to(out, "{}_bucket{{le=\"+Inf\"}} {}\n{}_sum {}\n{}_count {}\n", name_, h.count,
                   name_, h.sum_s, name_, h.count);
  }
  std::string Take() { return std::move(text_); }

 private:
  std::string name_, text_;
};

void AddRequests(Exposition& e, const SchedulerStats& s) {
  e.Gauge("requests_running", "Requests that are computed now.", s.running);
  e.Gauge("requests_queued", "Requests that wait for a slot.", s.queued);
  e.Gauge("slots", "Requests that can be computed at once.", s.slots);
  e.Counter("requests_taken_total", "Requests taken.", s.submitted);
  e.Counter("requests_refused_total", "Requests refused because the queue was full.", s.refused);
  e.Family("requests_ended_total", "counter", "Requests that ended, by reason.");
  e.Sample(s.ended_stop, "{reason=\"stop\"}");
  e.Sample(s.ended_length, "{reason=\"length\"}");
  e.Sample(s.ended_cancelled, "{reason=\"cancelled\"}");
  e.Sample(s.ended_error, "{reason=\"error\"}");
  e.Histogram("queue_seconds", "From arrival to a slot.", s.queue);
  e.Histogram("first_token_seconds", "From arrival to the first token.", s.first_token);
  e.Histogram("next_token_seconds", "Between the tokens of an answer.", s.next_token);
  e.Histogram("request_seconds", "From arrival to the end.", s.request);
}

void AddTokens(Exposition& e, const SchedulerStats& s) {
  e.Counter("prompt_tokens_total", "Tokens of prompts, with those reused.", s.prompt_tokens);
  e.Counter("reused_tokens_total", "Of these, from checkpoints.", s.reused_tokens);
  e.Counter("generated_tokens_total", "Tokens of answers.", s.generated_tokens);
  e.Counter("steps_total", "Passes through the model.", s.steps);
  e.Counter("step_tokens_total", "Tokens in them.", s.step_tokens);
  e.Counter("step_seconds_total", "Time in them.", s.step_s);
  e.Gauge("positions_used", "Positions of context that running requests hold.", s.positions_used);
  e.Gauge("positions_limit", "Positions that there is memory for.", s.positions_limit);
}

void AddExperts(Exposition& e, const SchedulerStats& s) {
  e.Counter("expert_requests_total", "Experts asked for.", s.store.requests);
  e.Counter("expert_hits_total", "Of these, found in memory.", s.store.hits);
  e.Counter("expert_read_bytes_total", "Bytes of experts read.", s.store.bytes_read);
  e.Counter("expert_read_seconds_total", "Time with a read under way.", s.store.read_s);
  e.Counter("expert_wait_seconds_total", "Time that computing waited for reads.", s.store.wait_s);
  e.Counter("prefetched_experts_total", "Experts read before they were asked for.",
            s.store.guesses_read);
  e.Counter("prefetched_in_time_total", "Of these, there when asked for.", s.store.guesses_in_time);
  e.Counter("prefetched_bytes_total", "Bytes that these reads took.", s.store.bytes_guessed);
  e.Counter("prefetched_used_bytes_total", "Of these, of experts asked for afterwards.",
            s.store.bytes_guessed_used);
  e.Gauge("expert_slots", "Experts that memory has room for.", s.store_slots);
  e.Gauge("expert_slots_used", "Experts in memory.", s.store_slots_used);
  e.Gauge("checkpoints", "Prefixes kept in memory.", s.prefixes.checkpoints);
  e.Gauge("checkpoint_bytes", "Memory they take.", s.prefixes.bytes);
  e.Gauge("checkpoint_disk_bytes", "Bytes of prefixes on disk.", s.prefixes.disk_bytes);
  e.Counter("checkpoints_made_total", "Prefixes kept so far.", s.prefixes.made);
  e.Counter("checkpoints_used_total", "Times that one was continued.", s.prefixes.used);
  e.Counter("checkpoints_damaged_total", "Files that were ignored.", s.prefixes.damaged);
}

void AddMemory(Exposition& e, const MemoryPlan& m, uint64_t resident_bytes) {
  e.Gauge("memory_budget_bytes", "What the process may hold.", m.budget);
  e.Gauge("memory_resident_bytes", "What it holds.", resident_bytes);
  e.Family("memory_planned_bytes", "gauge", "What the plan gives to each use.");
  e.Sample(m.dense, "{use=\"dense\"}");
  e.Sample(m.experts, "{use=\"experts\"}");
  e.Sample(m.state, "{use=\"state\"}");
  e.Sample(m.scratch + m.routers, "{use=\"scratch\"}");
  e.Sample(m.checkpoints, "{use=\"checkpoints\"}");
  e.Sample(m.process, "{use=\"program\"}");
}

void AddHttp(Exposition& e, const http::ServerStats& s) {
  e.Gauge("http_connections", "Open connections.", s.connections);
  e.Counter("http_connections_total", "Connections so far.", s.connections_total);
  e.Counter("http_connections_refused_total", "Above the limit.", s.connections_refused);
  e.Gauge("http_requests_running", "HTTP requests being answered.", s.requests_running);
  e.Counter("http_clients_left_total", "Clients that left before their answer's end.",
            s.clients_left);
  e.Family("http_requests_total", "counter", "HTTP requests answered, by status.");
  for (const auto& [status, count] : s.requests_by_status) {
    e.Sample(count, fmt::format("{{status=\"{}\"}}", status));
  }
}

}  // namespace

std::string MetricsText(const SchedulerStats& jobs, const http::ServerStats& server,
                        const EnginePlan& plan, uint64_t resident_bytes) {
  Exposition e;
  AddRequests(e, jobs);
  AddTokens(e, jobs);
  AddExperts(e, jobs);
  AddMemory(e, plan.memory, resident_bytes);
  AddHttp(e, server);
  return e.Take();
}

}  // namespace flashmoe
