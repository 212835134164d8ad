// What is kept in memory and what stays on disk. Decided once, before anything big is allocated;
// printed; never exceeded afterwards.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace flashmoe {

// What a plan is made from. All sizes in bytes.
struct PlanInputs {
  uint64_t budget = 0;     // of everything the process holds; 0: the next
  uint64_t wish = 0;       // the same, but raised where too little; 0: what the machine can spare
  uint64_t available = 0;  // that the machine and its cgroup can still give
  bool available_in_group = false;  // which the cgroup limits, and not the machine
  uint64_t process = 0;             // held already: program, tokenizer, tables
  uint64_t dense = 0;               // weights that every token needs
  uint64_t state_fixed = 0;         // recurrent state of a sequence
  uint64_t state_per_position = 0;
  int64_t sequences = 1;  // in work at once
  // Tokens of a pass besides a chunk: one of each sequence, where there are several.
  int64_t pass_extra = 0;
  uint64_t checkpoints = 0;  // asked for; had as far as they leave enough to experts
  // Checkpoints of a whole sequence are wanted, besides: had where that leaves enough to experts or
  // the budget is a wish. Otherwise there is room for the recurrent state at one place to return
  // to.
  bool checkpoints_whole = false;
  uint64_t scratch_per_token = 0;        // of a chunk of the prompt
  uint64_t scratch_per_block_token = 0;  // of the blocks that a chunk is computed in
  int64_t block_tokens = 0;
  uint64_t scratch_fixed = 0;  // without the part that grows with the context
  uint64_t scratch_per_position = 0;
  uint64_t slot = 0;       // an expert in memory
  uint64_t slots_min = 0;  // one token's working set
  uint64_t slots_all = 0;  // every expert of the model
  uint64_t slots_max = 0;  // no more than these, if not 0 and not below slots_min
  int64_t chunk_max = 0;   // likewise, tokens of a chunk
  uint64_t routers = 0;    // copies of the routers, had if they take little of the experts' share
  bool routers_wanted = false;  // had anyway
  int64_t context = 0;          // positions asked for; 0: chosen here
  int64_t context_needed = 0;   // positions that the request at hand will use, if known
  int64_t context_max = 0;      // that the model knows
};

struct MemoryPlan {
  uint64_t budget = 0;
  bool budget_given = false;
  uint64_t process = 0, dense = 0, state = 0, scratch = 0, routers = 0, experts = 0;
  uint64_t checkpoints = 0;
  bool checkpoints_whole = false;  // they have room for a whole sequence
  uint64_t slots = 0, slots_all = 0;
  int64_t context = 0;    // positions of one sequence at most
  int64_t positions = 0;  // of all sequences together; at least `context`
  int64_t sequences = 1;
  int64_t chunk_tokens = 0;

  uint64_t total() const {
    return process + dense + state + scratch + routers + checkpoints + experts;
  }
  bool all_resident() const { return slots == slots_all; }
};

// The prompt is taken in chunks of a multiple of 64 tokens, so that results do not depend on the
// budget. Fails with the smallest budget that would do.
Result<MemoryPlan> MakePlan(const PlanInputs& inputs);

}  // namespace flashmoe
