#include "engine/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "engine/batch.h"

namespace flashmoe {
namespace {

constexpr double kWaitMinS = 1, kWaitMaxS = 120;
constexpr std::chrono::seconds kIdleLook{1};  // whether others need memory

}  // namespace

struct Scheduler::Impl {
  struct Waiting {
    Job job;
    double submitted_s = 0;
  };
  struct Look {
    const std::function<void(Engine&)>& fn;
    bool done = false, called = false;
  };

  Engine& engine;
  const SchedulerOptions options;

  // The scheduler's thread alone.
  SchedulerStats counts;
  std::unique_ptr<Batch> batch;

  std::mutex mutex;
  std::condition_variable work, looked;
  // Guarded by the mutex.
  std::deque<Waiting> queue;
  std::deque<Look*> looks;
  std::shared_ptr<ForwardObserver> observer;
  SchedulerStats published;
  uint64_t submitted = 0, refused = 0;
  bool stopping = false, stopped = false;

  std::atomic<double> deadline_s = std::numeric_limits<double>::infinity();  // by NowSeconds()
  std::mutex join;
  std::thread thread;

  Impl(Engine& e, const SchedulerOptions& o) : engine(e), options(o) {}

  bool Late() const { return NowSeconds() >= deadline_s.load(std::memory_order_relaxed); }
  int RetryAfter() const;
  void Run();
  bool WaitForWork();
  void RunLooks();
  std::optional<Waiting> NextToEnd();
  std::optional<Waiting> NextToStart();
  void Publish();
};

// As long as requests took so far, for those that wait, shared by the slots. With the mutex.
int Scheduler::Impl::RetryAfter() const {
  const LatencyHistogram& past = published.request;
  const double mean = past.count > 0 ? past.sum_s / static_cast<double>(past.count) : kWaitMinS;
  const double rounds = static_cast<double>(queue.size() + 1) / options.slots;
  return static_cast<int>(std::clamp(std::ceil(mean * rounds), kWaitMinS, kWaitMaxS));
}

void Scheduler::Impl::Run() {
  while (WaitForWork()) {
    RunLooks();
    while (std::optional<Waiting> ended = NextToEnd()) {
      ++counts.ended_cancelled;
      GenerateResult result;
      result.prompt_tokens = std::ssize(ended->job.request.prompt);
      result.finish = FinishReason::kCancelled;
      ended->job.on_end(std::move(result));
    }
    while (std::optional<Waiting> next = NextToStart()) {
      batch->Start(std::move(next->job), next->submitted_s);
    }
    if (batch->running() == 0) engine.model().LookAtMemory();
    if (Late()) {
      batch->CancelAll();
    } else {
      std::shared_ptr<ForwardObserver> watching;
      {
        const std::lock_guard lock(mutex);
        watching = observer;
      }
      batch->Step(watching.get(), [this] { return Late(); });
    }
    Publish();
  }
}

// For kIdleLook at most. Returns false when all work has ended and no more will come.
bool Scheduler::Impl::WaitForWork() {
  std::unique_lock lock(mutex);
  work.wait_for(lock, kIdleLook, [&] {
    return stopping || !queue.empty() || !looks.empty() || batch->running() > 0;
  });
  if (!stopping || !queue.empty() || batch->running() > 0) return true;
  stopped = true;
  for (Look* look : looks) look->done = true;
  looks.clear();
  looked.notify_all();
  return false;
}

void Scheduler::Impl::RunLooks() {
  std::unique_lock lock(mutex);
  while (!looks.empty()) {
    Look* look = looks.front();
    looks.pop_front();
    lock.unlock();
    look->fn(engine);
    lock.lock();
    look->called = look->done = true;
    looked.notify_all();
  }
}

// A job that was cancelled before it began.
std::optional<Scheduler::Impl::Waiting> Scheduler::Impl::NextToEnd() {
  const std::lock_guard lock(mutex);
  const auto ended = std::ranges::find_if(queue, [&](const Waiting& waiting) {
    return stopping || (waiting.job.cancel != nullptr && waiting.job.cancel->IsSet());
  });
  if (ended == queue.end()) return std::nullopt;
  Waiting taken = std::move(*ended);
  queue.erase(ended);
  return taken;
}

// First come, first served: a long prompt that needs room is not overtaken for ever.
std::optional<Scheduler::Impl::Waiting> Scheduler::Impl::NextToStart() {
  const std::lock_guard lock(mutex);
  if (queue.empty() || !batch->HasRoom(queue.front().job.request)) return std::nullopt;
  Waiting taken = std::move(queue.front());
  queue.pop_front();
  return taken;
}

void Scheduler::Impl::Publish() {
  const ExpertStore& store = engine.model().store();
  counts.store = store.stats();
  counts.store_slots = store.slots();
  counts.store_slots_used = store.slots_used();
  if (const PrefixStore* prefixes = engine.prefixes()) counts.prefixes = prefixes->stats();
  const std::lock_guard lock(mutex);
  published = counts;
}

Scheduler::Scheduler(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Scheduler>> Scheduler::Create(Engine& engine,
                                                     const SchedulerOptions& options) {
  if (options.slots < 1 || options.slots > engine.plan().memory.sequences) {
    return InvalidInput(
        fmt::format("{} slots", options.slots), {},
        fmt::format("the engine was loaded for 1 to {} sequences", engine.plan().memory.sequences));
  }
  auto impl = std::make_unique<Impl>(engine, options);
  const BatchOptions batch{.slots = options.slots,
                           .positions_max = options.positions_max,
                           .step_s = options.step_s,
                           .checkpoint_every = options.checkpoint_every};
  FM_ASSIGN_OR_RETURN(impl->batch, Batch::Create(engine, batch, impl->counts));
  impl->Publish();
  impl->thread = std::thread([raw = impl.get()] { raw->Run(); });
  return std::unique_ptr<Scheduler>(new Scheduler(std::move(impl)));
}

Scheduler::~Scheduler() { Stop(0); }

Result<uint64_t> Scheduler::Submit(Job job) {
  FM_CHECK(job.on_end != nullptr);
  FM_RETURN_IF_ERROR(Validate(job.request, impl_->engine));
  const std::lock_guard lock(impl_->mutex);
  const bool full = std::ssize(impl_->queue) >= impl_->options.queue_max;
  if (impl_->stopping || full) {
    ++impl_->refused;
    Error busy{ErrorCode::kBusy, "the server is stopping", {}, "try again later", 1};
    if (full) {
      busy.what = fmt::format("{} requests are waiting already", impl_->queue.size());
      busy.retry_after_s = impl_->RetryAfter();
      busy.hint = fmt::format("try again in {} seconds", busy.retry_after_s);
    }
    return std::unexpected(std::move(busy));
  }
  impl_->queue.push_back({std::move(job), NowSeconds()});
  impl_->work.notify_one();
  return ++impl_->submitted;
}

void Scheduler::Stop(double grace_s) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
    const double deadline = NowSeconds() + grace_s;
    impl_->deadline_s = std::min(impl_->deadline_s.load(), deadline);
    impl_->work.notify_one();
  }
  const std::lock_guard lock(impl_->join);
  if (impl_->thread.joinable()) impl_->thread.join();
}

SchedulerStats Scheduler::stats() const {
  const std::lock_guard lock(impl_->mutex);
  SchedulerStats stats = impl_->published;
  stats.queued = static_cast<int>(impl_->queue.size());
  stats.submitted = impl_->submitted;
  stats.refused = impl_->refused;
  return stats;
}

bool Scheduler::Inspect(const std::function<void(Engine&)>& fn) {
  std::unique_lock lock(impl_->mutex);
  if (impl_->stopped) return false;
  Impl::Look look{fn};
  impl_->looks.push_back(&look);
  impl_->work.notify_one();
  impl_->looked.wait(lock, [&] { return look.done; });
  return look.called;
}

void Scheduler::SetObserver(std::shared_ptr<ForwardObserver> observer) {
  const std::lock_guard lock(impl_->mutex);
  impl_->observer = std::move(observer);
}

const SchedulerOptions& Scheduler::options() const { return impl_->options; }

}  // namespace flashmoe
