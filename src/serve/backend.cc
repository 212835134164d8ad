#include "serve/backend.h"

namespace flashmoe {

Backend BackendOf(Scheduler& scheduler) {
  return {
      .submit = [&scheduler](Job job) { return scheduler.Submit(std::move(job)); },
      .stats = [&scheduler] { return scheduler.stats(); },
      .inspect = [&scheduler](const auto& fn) { return scheduler.Inspect(fn); },
      .observe = [&scheduler](auto observer) { scheduler.SetObserver(std::move(observer)); },
  };
}

}  // namespace flashmoe
