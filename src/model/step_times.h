// Where the time of forward passes goes, by the clock of the thread that drives them. Each part is
// counted once, so that the parts add up to the time of the passes; what a caller does between
// passes is not in here.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace flashmoe {

enum class Step : uint8_t {
  kEmbedding,     // rows of the embedding, angles
  kNorms,         // norms, and adding to the residual stream
  kAttention,     // attention layers' mixers
  kDeltaNet,      // delta net layers' mixers
  kRouter,        // choosing experts
  kRequest,       // grouping tokens by expert, starting reads
  kLookahead,     // guessing the next layer's experts and learning to, starting reads of them
  kSharedExpert,  // with the quantisation of the inputs of all experts
  kExperts,       // computing routed experts, and the shared one of a single token
  kWait,          // for reads of experts, and what the store does meanwhile
  kCombine,       // adding up experts
  kHead,          // logits
};
inline constexpr size_t kStepCount = static_cast<size_t>(Step::kHead) + 1;

// "delta net", "waiting for reads".
std::string_view Name(Step step);

using StepSeconds = std::array<double, kStepCount>;

struct StepTimes {
  uint64_t passes = 0;
  uint64_t tokens = 0;
  std::vector<StepSeconds> layers;  // [layers + 1]; the last: what belongs to no layer

  StepSeconds Sum() const;  // over the layers
  double total() const;
};

// Used by one thread. Costs a look at the clock for every part.
class StepClock {
 public:
  explicit StepClock(int layers) : outside_(static_cast<size_t>(layers)) { Reset(); }

  // A pass begins or goes on (its logits are wanted); in one of decode, each sequence has one
  // token.
  void Begin(bool decode) {
    current_ = decode ? &decode_ : &prefill_;
    last_s_ = NowSeconds();
  }
  void EndPass(int64_t tokens) {
    ++current_->passes;
    current_->tokens += static_cast<uint64_t>(tokens);
  }

  // The time since the last call belongs to `step`. REQUIRES: Begin() was called.
  void Lap(Step step, int layer) {
    const double now_s = NowSeconds();
    current_->layers[static_cast<size_t>(layer)][static_cast<size_t>(step)] += now_s - last_s_;
    last_s_ = now_s;
  }
  void Lap(Step step) { Lap(step, static_cast<int>(outside_)); }

  const StepTimes& prefill() const { return prefill_; }
  const StepTimes& decode() const { return decode_; }
  void Reset();

 private:
  size_t outside_;
  StepTimes prefill_, decode_;
  StepTimes* current_ = nullptr;
  double last_s_ = 0;
};

}  // namespace flashmoe
