#include "engine/memory_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"

namespace flashmoe {
namespace {

constexpr int64_t kChunkUnit = 64;
// Every chunk reads most experts: the longer, the fewer bytes a token. A prompt of unknown length
// gets the first.
constexpr int64_t kChunkDefault = 2048;
constexpr int64_t kChunkMax = 4096;
constexpr int64_t kContextDefault = 8192;
constexpr int64_t kContextLeast = 512;
// For the allocator's own needs, the code of kernels and what grows a little while running.
constexpr uint64_t kSlack = 3 << 20;
// Of the memory above one token's experts, what copies of the routers may take: more would cost
// more hits than better guesses are worth.
constexpr uint64_t kRoutersShare = 32;
// Of the memory above the smallest budget, what checkpoints may take.
constexpr uint64_t kCheckpointsShare = 8;
// The same, where they are to hold a whole sequence.
constexpr uint64_t kWholeShare = 4;
// Of a whole sequence: at the end of the system prompt, at the last turn, and one in the making.
constexpr uint64_t kWholeCheckpoints = 3;
// Above the smallest budget, where that exceeds what was wished for.
constexpr uint64_t kWishMargin = 1 << 20;

// Leaves something to breathe with: a tenth of a machine, on which others live too; of a cgroup,
// where little but page tables is charged besides, a thirty-second. At least 128 MiB, never more
// than a quarter.
uint64_t Spare(const PlanInputs& in) {
  const uint64_t part = in.available_in_group ? 32 : 10;
  const uint64_t reserve = std::max<uint64_t>(in.available / part, 128 << 20);
  return in.available - std::min(reserve, in.available / 4);
}

// Of all sequences, which share the positions.
uint64_t StateBytes(const PlanInputs& in, int64_t positions) {
  return static_cast<uint64_t>(in.sequences) * in.state_fixed +
         static_cast<uint64_t>(positions) * in.state_per_position;
}

uint64_t ScratchBytes(const PlanInputs& in, int64_t context, int64_t chunk) {
  return in.scratch_fixed + static_cast<uint64_t>(context) * in.scratch_per_position +
         static_cast<uint64_t>(chunk + in.pass_extra) * in.scratch_per_token +
         static_cast<uint64_t>(std::min(chunk + in.pass_extra, in.block_tokens)) *
             in.scratch_per_block_token;
}

// Keys, values and tokens once, recurrent state with each.
uint64_t WholeBytes(const PlanInputs& in, int64_t context) {
  if (!in.checkpoints_whole) return 0;
  return kWholeCheckpoints * in.state_fixed +
         static_cast<uint64_t>(context) * (in.state_per_position + sizeof(int32_t));
}

// That there is room for anyway.
uint64_t LeastCheckpoints(const PlanInputs& in) {
  return in.checkpoints_whole ? in.state_fixed : 0;
}

// Everything but experts, with as few checkpoints as possible.
uint64_t Base(const PlanInputs& in, int64_t context, int64_t chunk) {
  return in.process + kSlack + in.dense + StateBytes(in, context) +
         ScratchBytes(in, context, chunk) + (in.routers_wanted ? in.routers : 0) +
         LeastCheckpoints(in);
}

// The smallest budget for this context: short chunks, one token's experts.
uint64_t LeastBudget(const PlanInputs& in, int64_t context) {
  return Base(in, context, kChunkUnit) + in.slots_min * in.slot;
}

// Longer than a block, a chunk may take an eighth of what is above the smallest budget; up to a
// block, which also computes faster, a quarter. Never longer than what there is to read.
int64_t ChooseChunk(const PlanInputs& in, int64_t context, uint64_t above) {
  const int64_t wanted = in.context_needed > 0 ? in.context_needed : kChunkDefault;
  const int64_t longest = std::min({wanted, context, kChunkMax});
  int64_t chunk = std::max<int64_t>(longest + kChunkUnit - 1, kChunkUnit) / kChunkUnit * kChunkUnit;
  if (in.chunk_max > 0) {
    chunk = std::min(chunk, std::max(in.chunk_max / kChunkUnit, int64_t{1}) * kChunkUnit);
  }
  const uint64_t least = ScratchBytes(in, context, kChunkUnit);
  while (chunk > kChunkUnit &&
         ScratchBytes(in, context, chunk) - least > above / (chunk > in.block_tokens ? 8 : 4)) {
    chunk -= kChunkUnit;
  }
  return chunk;
}

// Of what the dense weights leave, an eighth.
uint64_t StateShare(const PlanInputs& in, uint64_t budget) {
  const uint64_t taken = in.process + kSlack + in.dense;
  return budget > taken ? (budget - taken) / 8 : 0;
}

// As much context as fits into the state's share, within what is useful.
int64_t ChooseContext(const PlanInputs& in, uint64_t budget) {
  if (in.context > 0) return std::min(in.context, in.context_max);
  const int64_t least = std::min(in.context_max, std::max(in.context_needed, kContextLeast));
  const uint64_t share = StateShare(in, budget);
  int64_t context = std::min(in.context_max, std::max(least, kContextDefault));
  const auto fits = [&](int64_t positions) {
    return StateBytes(in, positions) <= share && LeastBudget(in, positions) <= budget;
  };
  while (context > least && !fits(context)) context = std::max(least, context / 2);
  return context;
}

// A full context for every sequence if that fits into the state's share; for one, always.
int64_t ChoosePositions(const PlanInputs& in, int64_t context, uint64_t budget) {
  const uint64_t least = LeastBudget(in, context);
  const uint64_t state = StateBytes(in, context);
  const uint64_t share = std::max(StateShare(in, budget), state);
  const uint64_t more = std::min(share - state, budget - std::min(least, budget));
  const uint64_t wanted = static_cast<uint64_t>(context) * static_cast<uint64_t>(in.sequences - 1);
  const uint64_t fit = more / std::max<uint64_t>(in.state_per_position, 1);
  return context + static_cast<int64_t>(std::min(wanted, fit));
}

// Of `above`, which lies above the smallest budget.
void ChooseCheckpoints(const PlanInputs& in, uint64_t above, MemoryPlan& plan) {
  const uint64_t least = LeastCheckpoints(in);
  const uint64_t more = WholeBytes(in, plan.context) - least;
  const bool wished = !plan.budget_given && in.wish > 0;
  plan.checkpoints_whole = in.checkpoints_whole && more <= (wished ? above : above / kWholeShare);
  plan.checkpoints = least + std::min(in.checkpoints, above / kCheckpointsShare);
  if (plan.checkpoints_whole) plan.checkpoints = std::max(plan.checkpoints, least + more);
}

}  // namespace

Result<MemoryPlan> MakePlan(const PlanInputs& in) {
  MemoryPlan plan;
  plan.budget_given = in.budget > 0;
  const uint64_t spare = in.process + Spare(in);
  const bool wished = !plan.budget_given && in.wish > 0;
  plan.budget = plan.budget_given ? in.budget : wished ? std::min(in.wish, spare) : spare;
  plan.context = ChooseContext(in, plan.budget);
  if (wished) {
    const uint64_t least = LeastBudget(in, plan.context) - LeastCheckpoints(in) +
                           WholeBytes(in, plan.context) + kWishMargin;
    const uint64_t wish = std::max(in.wish, least);
    plan.budget = std::min(wish, spare);
  }
  plan.slots_all = in.slots_all;

  const uint64_t floor_experts = in.slots_min * in.slot;
  const uint64_t least = LeastBudget(in, plan.context);
  if (plan.budget < least) {
    return Fail(
        ErrorCode::kOutOfMemory,
        fmt::format("{} of memory {} too little for this model: it needs {} (weights every token "
                    "uses {}, one token's experts {}, {} positions of context {}, program and "
                    "scratch {})",
                    FormatBytes(plan.budget), plan.budget_given ? "are" : "can be spared, which is",
                    FormatBytes(least), FormatBytes(in.dense), FormatBytes(floor_experts),
                    plan.context, FormatBytes(StateBytes(in, plan.context)),
                    FormatBytes(least - in.dense - floor_experts - StateBytes(in, plan.context))),
        {},
        // Two megabytes more: how much of the program is mapped differs from run to run.
        fmt::format("pass --memory {}MB or more{}", (least + 2'999'999) / 1'000'000,
                    plan.context > kContextLeast ? ", or a smaller --ctx" : ""));
  }

  plan.sequences = in.sequences;
  plan.positions = ChoosePositions(in, plan.context, plan.budget);
  plan.state = StateBytes(in, plan.positions);
  uint64_t above = plan.budget - least - (plan.state - StateBytes(in, plan.context));
  ChooseCheckpoints(in, above, plan);
  const uint64_t checkpoints = plan.checkpoints - LeastCheckpoints(in);
  above -= checkpoints;
  const int64_t chunk = ChooseChunk(in, plan.context, above);
  plan.chunk_tokens = chunk;
  plan.process = in.process + kSlack;
  plan.dense = in.dense;
  plan.scratch = ScratchBytes(in, plan.context, chunk);
  const uint64_t shared = plan.state - StateBytes(in, plan.context) + checkpoints;
  uint64_t left = plan.budget - Base(in, plan.context, chunk) - shared;
  plan.routers = in.routers_wanted ? in.routers : 0;
  const bool all_fit = left / std::max<uint64_t>(in.slot, 1) >= in.slots_all;
  if (!in.routers_wanted && !all_fit && in.routers <= (left - floor_experts) / kRoutersShare) {
    plan.routers = in.routers;
    left -= in.routers;
  }
  plan.slots = in.slot == 0 ? in.slots_all : std::min(in.slots_all, left / in.slot);
  if (in.slots_max > 0) plan.slots = std::min(plan.slots, std::max(in.slots_max, in.slots_min));
  plan.experts = plan.slots * in.slot;
  return plan;
}

}  // namespace flashmoe
