#include "io/worker_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "io/errors.h"
#include "io/transfer.h"

namespace flashmoe {

int WorkersFor(int queue_depth) { return std::clamp(queue_depth, 1, 16); }

Result<std::unique_ptr<AsyncReader>> WorkerReader::Make(std::string_view name, bool direct,
                                                        int threads, ReadFn read) {
  FM_CHECK(threads >= 1);
  std::unique_ptr<WorkerReader> reader(new WorkerReader(name, direct, std::move(read)));
  if (const int error = reader->StartWorkers(threads); reader->threads_.empty()) {
    return Fail(ErrorCode::kOutOfMemory,
                fmt::format("cannot start a thread that reads: {}", ErrnoText(error)), {},
                "raise the limit of processes (ulimit -u, or the container's pids limit)");
  }
  return reader;
}

WorkerReader::WorkerReader(std::string_view name, bool direct, ReadFn read)
    : name_(name), direct_(direct), read_(std::move(read)) {}

int WorkerReader::StartWorkers(int threads) {
  threads_.reserve(static_cast<size_t>(threads));
  try {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
  } catch (const std::system_error& error) {
    return error.code().value();
  }
  return 0;
}

WorkerReader::~WorkerReader() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    queue_.clear();
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerReader::Submit(const ReadRequest& request) {
  FM_CHECK(request.file != nullptr && request.bytes > 0);
  FM_CHECK(reinterpret_cast<uintptr_t>(request.dest) % kBlockBytes == 0);
  submitted_.push_back(request);
  ++in_flight_;
}

void WorkerReader::Flush() {
  if (submitted_.empty()) return;
  const size_t count = submitted_.size();
  {
    std::lock_guard lock(mutex_);
    queue_.insert(queue_.end(), submitted_.begin(), submitted_.end());
  }
  submitted_.clear();
  for (size_t i = 0; i < std::min(count, threads_.size()); ++i) work_.notify_one();
}

void WorkerReader::Reap(bool wait, std::vector<ReadCompletion>& out) {
  Flush();
  if (in_flight_ == 0) return;
  std::unique_lock lock(mutex_);
  if (wait) {
    done_.wait_for(lock, std::chrono::duration<double>(kReapSeconds),
                   [this] { return !completions_.empty(); });
  }
  in_flight_ -= completions_.size();
  std::move(completions_.begin(), completions_.end(), std::back_inserter(out));
  completions_.clear();
}

void WorkerReader::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [this] { return stop_ || !queue_.empty(); });
    if (stop_) return;
    const ReadRequest request = queue_.front();
    queue_.pop_front();
    lock.unlock();
    Status status = CheckRange(request);
    if (status.has_value()) status = read_(request);
    lock.lock();
    completions_.push_back({request.tag, std::move(status)});
    done_.notify_one();
  }
}

}  // namespace flashmoe
