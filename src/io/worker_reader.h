// A reader made of threads, each of which does one read at a time and waits for it.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "io/async_reader.h"

namespace flashmoe {

class WorkerReader final : public AsyncReader {
 public:
  // Brings one request's bytes to memory; called from the workers, several at a time.
  using ReadFn = std::function<Status(const ReadRequest&)>;

  // `name` is a literal. Fewer threads where the system gives fewer; an error where it gives none.
  // REQUIRES: threads >= 1.
  static Result<std::unique_ptr<AsyncReader>> Make(std::string_view name, bool direct, int threads,
                                                   ReadFn read);
  ~WorkerReader() override;  // requests that no worker has begun are dropped
  WorkerReader(const WorkerReader&) = delete;
  WorkerReader& operator=(const WorkerReader&) = delete;

  std::string_view name() const override { return name_; }
  bool direct() const override { return direct_; }
  void Submit(const ReadRequest& request) override;
  void Flush() override;
  void Reap(bool wait, std::vector<ReadCompletion>& out) override;
  size_t in_flight() const override { return in_flight_; }

 private:
  WorkerReader(std::string_view name, bool direct, ReadFn read);
  int StartWorkers(int threads);  // 0 or the errno of the first failure
  void Work();

  const std::string_view name_;
  const bool direct_;
  const ReadFn read_;
  std::vector<ReadRequest> submitted_;  // not flushed yet; the caller's thread only
  size_t in_flight_ = 0;                // the caller's thread only

  std::mutex mutex_;  // guards what follows
  std::condition_variable work_;
  std::condition_variable done_;
  std::deque<ReadRequest> queue_;
  std::vector<ReadCompletion> completions_;
  bool stop_ = false;

  std::vector<std::thread> threads_;
};

// More threads than this wait for each other rather than for the device.
int WorkersFor(int queue_depth);

}  // namespace flashmoe
