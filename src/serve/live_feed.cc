#include "serve/live_feed.h"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/answer_flow.h"

namespace flashmoe {
namespace {

constexpr size_t kListenersMax = 16;
constexpr size_t kUnsentMax = 1 << 20;

constexpr uint8_t kResident = 1, kRead = 2, kUsed = 4;

}  // namespace

// Marks the experts that tokens choose. Called on the scheduler's thread, read by the feed's.
class UsageObserver final : public ForwardObserver {
 public:
  explicit UsageObserver(LiveFeed::Shape shape)
      : shape_(shape), used_(static_cast<size_t>(shape.layers) * shape.experts) {}

  void OnRouting(int layer, std::span<const int32_t> chosen, std::span<const float>) override {
    if (layer < 0 || layer >= shape_.layers) return;
    const size_t first = static_cast<size_t>(layer) * shape_.experts;
    for (const int32_t expert : chosen) {
      if (expert >= 0 && expert < shape_.experts) {
        used_[first + expert].store(1, std::memory_order_relaxed);
      }
    }
  }

  bool Take(size_t key) { return used_[key].exchange(0, std::memory_order_relaxed) != 0; }

 private:
  const LiveFeed::Shape shape_;
  std::vector<std::atomic<uint8_t>> used_;
};

struct LiveFeed::Sample {
  double at_s = 0;
  SchedulerStats stats;
  std::vector<uint8_t> experts;
};

LiveFeed::LiveFeed(Backend backend, const EnginePlan& plan, Shape shape, double period_s)
    : backend_(std::move(backend)),
      plan_(plan),
      shape_(shape),
      period_s_(period_s),
      usage_(std::make_shared<UsageObserver>(shape)),
      thread_([this] { Run(); }) {}

LiveFeed::~LiveFeed() {
  Stop();
  thread_.join();
}

void LiveFeed::Listen(std::shared_ptr<http::Exchange> exchange) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_ && listeners_.size() < kListenersMax) {
      http::Response head;
      head.content_type = "text/event-stream";
      head.headers = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}};
      exchange->BeginStream(std::move(head));
      listeners_.push_back(std::move(exchange));
    }
  }
  if (exchange == nullptr) return changed_.notify_all();
  SendError(*exchange, ApiStyle::kOpenAi,
            {ErrorCode::kBusy, "too many are watching already", {}, {}, 10});
}

void LiveFeed::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& listener : listeners_) listener->End();
    listeners_.clear();
  }
  changed_.notify_all();
}

bool LiveFeed::DropLeft() {
  const std::lock_guard lock(mutex_);
  std::erase_if(listeners_, [](const auto& listener) {
    if (!listener->cancelled()->IsSet()) return false;
    listener->End();
    return true;
  });
  return !listeners_.empty();
}

void LiveFeed::Run() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !listeners_.empty(); });
      if (stopping_) return;
    }
    backend_.observe(usage_);
    before_ = std::make_unique<Sample>(Gather());
    while (DropLeft()) {
      Tick();
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, std::chrono::duration<double>(period_s_),
                        [this] { return stopping_; });
    }
    backend_.observe(nullptr);
  }
}

void LiveFeed::Tick() {
  auto now = std::make_unique<Sample>(Gather());
  const std::string event = "data: " + Event(*now) + "\n\n";
  before_ = std::move(now);
  const std::lock_guard lock(mutex_);
  for (const auto& listener : listeners_) {
    // Who lags behind misses some and gets the newest later.
    if (listener->unsent_bytes() < kUnsentMax) listener->Write(event);
  }
}

LiveFeed::Sample LiveFeed::Gather() {
  Sample sample;
  sample.experts.resize(static_cast<size_t>(shape_.layers) * shape_.experts);
  sample.stats = backend_.stats();
  sample.at_s = NowSeconds();
  backend_.inspect([&](Engine& engine) {
    const ExpertStore& store = engine.model().store();
    for (size_t i = 0; i < sample.experts.size(); ++i) {
      const int layer = static_cast<int>(i) / shape_.experts;
      const int expert = static_cast<int>(i) % shape_.experts;
      if (store.IsResident(layer, expert)) sample.experts[i] = kResident;
    }
  });
  return sample;
}

std::string LiveFeed::Event(const Sample& now) {
  const SchedulerStats& s = now.stats;
  const SchedulerStats& b = before_->stats;
  const double seconds = std::max(now.at_s - before_->at_s, 1e-3);
  const auto rate = [&](uint64_t later, uint64_t earlier) {
    return static_cast<double>(later - earlier) / seconds;
  };
  std::vector<uint8_t> experts = now.experts;
  for (size_t i = 0; i < experts.size(); ++i) {
    const bool came = (experts[i] & kResident) != 0 && (before_->experts[i] & kResident) == 0;
    if (came) experts[i] |= kRead;
    if (usage_->Take(i)) experts[i] |= kUsed;
  }
  const uint64_t asked = s.store.requests - b.store.requests;
  nlohmann::ordered_json hit_rate;
  if (asked > 0) {
    hit_rate = static_cast<double>(s.store.hits - b.store.hits) / static_cast<double>(asked);
  }
  const MemoryPlan& m = plan_.memory;
  const nlohmann::ordered_json event = {
      {"tokens_per_s", rate(s.generated_tokens, b.generated_tokens)},
      {"prompt_tokens_per_s", rate(s.prompt_tokens, b.prompt_tokens)},
      {"disk_gbps", rate(s.store.bytes_read, b.store.bytes_read) / 1e9},
      {"disk_roof_gbps", plan_.read.device.gbps},
      {"hit_rate", hit_rate},
      {"memory",
       {{"dense", m.dense},
        {"slots", m.experts},
        {"state", m.state},
        {"checkpoints", m.checkpoints},
        {"other", m.process + m.scratch + m.routers},
        {"resident", ResidentBytes()},
        {"budget", m.budget}}},
      {"context_used", s.positions_used},
      {"context_limit", s.positions_limit},
      {"running", s.running},
      {"queued", s.queued},
      {"experts",
       {{"layers", shape_.layers}, {"per_layer", shape_.experts}, {"state", Base64(experts)}}}};
  return event.dump();
}

std::string Base64(std::span<const uint8_t> bytes) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t have = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = uint32_t{bytes[i]} << 16;
    if (have > 1) group |= uint32_t{bytes[i + 1]} << 8;
    if (have > 2) group |= bytes[i + 2];
    for (size_t digit = 0; digit < 4; ++digit) {
      text += digit <= have ? kDigits[group >> (18 - 6 * digit) & 63] : '=';
    }
  }
  return text;
}

}  // namespace flashmoe
