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
  {
    const auto engine = Open(path, options);
    if (engine == nullptr) return nullptr;
    const ExpertCatalog& experts = engine->model().store().catalog();
    options.slots_max = ExpertStore::MinSlots(experts, engine->plan().experts_per_token) +
                        extra / experts.max_slot_bytes();
  }
  options.chunk_max = kDeltaChunk;
  return Open(path, options);
}

}  // namespace flashmoe
