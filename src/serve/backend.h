// What runs jobs, as the server needs it: the scheduler, or a test's stand-in.
#pragma once

#include <functional>
#include <memory>

#include "engine/scheduler.h"

namespace flashmoe {

// All thread-safe; see engine/scheduler.h.
struct Backend {
  std::function<Result<uint64_t>(Job)> submit;
  std::function<SchedulerStats()> stats;
  std::function<bool(const std::function<void(Engine&)>&)> inspect;
  std::function<void(std::shared_ptr<ForwardObserver>)> observe;
};

Backend BackendOf(Scheduler& scheduler);

}  // namespace flashmoe
