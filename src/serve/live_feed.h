// What the engine is doing, about twice a second, for whoever watches: GET /v1/flashmoe/live.
//
// An event is one JSON object:
//   tokens_per_s, disk_gbps, disk_roof_gbps, hit_rate (of the experts asked for since the last
//   event; null if none were), memory {dense, slots, state, checkpoints, other; resident, budget}
//   in bytes, context_used and context_limit in positions, running, queued, and experts {layers,
//   per_layer, state}: base64 of a byte for each (layer, expert): bit 0 resident, bit 1 read since
//   the last event, bit 2 used since the last event.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/engine.h"
#include "http/server.h"
#include "serve/backend.h"

namespace flashmoe {

class UsageObserver;

class LiveFeed {
 public:
  struct Shape {
    int layers = 0;
    int experts = 0;  // a layer
  };
  LiveFeed(Backend backend, const EnginePlan& plan, Shape shape, double period_s = 0.5);
  ~LiveFeed();  // Stop()

  // Streams to it until its client leaves. Nothing is gathered while nobody listens.
  void Listen(std::shared_ptr<http::Exchange> exchange);
  // Ends all streams; takes no more.
  void Stop();

 private:
  struct Sample;
  void Run();
  void Tick();
  bool DropLeft();  // returns whether anybody is left
  Sample Gather();
  std::string Event(const Sample& now);

  const Backend backend_;
  const EnginePlan plan_;
  const Shape shape_;
  const double period_s_;
  std::shared_ptr<UsageObserver> usage_;
  std::unique_ptr<Sample> before_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<http::Exchange>> listeners_;
  bool stopping_ = false;
  std::thread thread_;
};

std::string Base64(std::span<const uint8_t> bytes);

}  // namespace flashmoe
