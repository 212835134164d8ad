#include "tests/support/least_memory.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/test_model.h"

namespace flashmoe {

uint64_t NamedBudget(const Error& error) {
  constexpr std::string_view kOption = "--memory ";
  const size_t at = error.hint.find(kOption);
  if (at == std::string::npos) return 0;
  char* end = nullptr;
  const uint64_t megabytes = std::strtoull(error.hint.c_str() + at + kOption.size(), &end, 10);
  return std::string_view(end).starts_with("MB") ? megabytes * 1'000'000 : 0;
}

uint64_t LeastMemory(const std::string& path, EngineOptions options) {
  options.memory_bytes = 1;
  const auto refused = TryOpen(path, options);
  if (refused.has_value()) {
    ADD_FAILURE() << "a budget of one byte was accepted";
    return 0;
  }
  const uint64_t budget = NamedBudget(refused.error());
  EXPECT_GT(budget, 0u) << refused.error().ToString();
  return budget;
}

std::unique_ptr<Engine> OpenWithLeast(const std::string& path, const EngineOptions& options) {
  EngineOptions least = options;
  least.memory_bytes = LeastMemory(path, options);
  for (int attempt = 0; attempt < 3; ++attempt) {
    auto engine = TryOpen(path, least);
    if (engine.has_value()) return std::move(*engine);
    least.memory_bytes = NamedBudget(engine.error());
  }
  ADD_FAILURE() << path << ": the smallest budget that a refusal names is refused";
  return nullptr;
}

std::unique_ptr<Engine> OpenAtFloor(const std::string& path, EngineOptions options,
                                    uint64_t extra) {
  constexpr uint64_t kStep = 100'000;
  {
    const auto engine = OpenWithLeast(path, options);
    if (engine == nullptr) return nullptr;
    const MemoryPlan& plan = engine->plan().memory;
    const uint64_t floor =
        ExpertStore::MinSlots(engine->model().store().catalog(), engine->plan().experts_per_token);
    options.memory_bytes = plan.total() - (plan.slots - floor) * (plan.experts / plan.slots);
  }
  options.memory_bytes += extra;
  for (int attempt = 0; attempt < 20; ++attempt, options.memory_bytes += kStep) {
    auto engine = TryOpen(path, options);
    if (engine.has_value()) return std::move(*engine);
  }
  ADD_FAILURE() << path << ": no budget near the floor was accepted";
  return nullptr;
}

}  // namespace flashmoe
