// The plan in words.
#include <fmt/format.h>

#include "base/units.h"
#include "engine/engine.h"

namespace flashmoe {
namespace {

std::string Guessing(Prefetch prefetch, const MemoryPlan& memory) {
  if (prefetch == Prefetch::kOff || memory.all_resident()) return "";
  const std::string who = memory.routers > 0
                              ? fmt::format("routers that learn ({})", FormatBytes(memory.routers))
                              : "the next layer's router";
  return fmt::format("Experts guessed by {} are read ahead{}. ", who,
                     prefetch == Prefetch::kAuto ? " where that pays" : "");
}

std::string Sequences(const MemoryPlan& memory) {
  if (memory.sequences == 1) return "";
  return fmt::format(" ({} sequences of up to {})", memory.sequences, memory.context);
}

std::string Checkpoints(const MemoryPlan& memory) {
  if (memory.checkpoints == 0) return "";
  return fmt::format("checkpoints {}, ", FormatBytes(memory.checkpoints));
}

}  // namespace

std::string EnginePlan::ToString() const {
  std::string text = fmt::format(
      "{} of {}: weights every token uses {}, experts {} ({} of {} resident at once), "
      "state of {} positions{} {} ({}), {}scratch {}, program {}. Prompts in chunks of {} tokens. "
      "{}{} Reading by {}, computing with {} on {} thread{}, {} experts a token{}.",
      FormatBytes(memory.total()), FormatBytes(memory.budget), FormatBytes(memory.dense),
      FormatBytes(memory.experts), memory.slots, memory.slots_all, memory.positions,
      Sequences(memory), FormatBytes(memory.state), kv, Checkpoints(memory),
      FormatBytes(memory.scratch), FormatBytes(memory.process), memory.chunk_tokens,
      Guessing(prefetch, memory), read.ToString(), reader, kernels, threads,
      threads == 1 ? "" : "s", experts_per_token,
      experts_as_trained ? "" : " (NOT as trained: answers differ from the model's)");
  return text;
}

}  // namespace flashmoe
