// Who takes how many tokens through the model in the next step.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace flashmoe {

// A request that is running: it reads its prompt up to `stop`, or has one token to take in.
struct PassCandidate {
  int64_t position = 0;
  // Where its slice must end at the latest: the next position to be kept, the end of the prompt.
  // `position` for one that may not take part.
  int64_t stop = 0;
  bool reading = false;  // its prompt
};

// The slice of each candidate; 0: none. Answers take one token each. The rest of `tokens_max` goes
// to prompts, but no more than `prompt_tokens` in all, shared evenly so that a short prompt does
// not wait for a long one. Slices that do not reach their stop end at multiples of 64 positions,
// which keeps the results those of a prompt that is read at once. The first of the prompts gets a
// slice in any case. REQUIRES: tokens_max >= 64 + the number of candidates that do not read;
// multiples of 64 in between `position` and `stop` may be cut at.
std::vector<int64_t> PlanPass(std::span<const PassCandidate> candidates, int64_t tokens_max,
                              int64_t prompt_tokens);

// Learns how long steps with so many tokens of prompts take: what any step costs, and what each
// token adds.
class PassCost {
 public:
  void Note(int64_t prompt_tokens, double seconds);

  // How many tokens may be read in a step that others wait for: as many as `seconds` allow. Where a
  // step takes longer anyway, because most experts must be read, as many as double it: fewer would
  // save little and make the prompt wait much longer.
  int64_t Affordable(double seconds) const;

 private:
  // Sums over past steps, each of which counts nine tenths of the one after it.
  double n_ = 0, x_ = 0, y_ = 0, xx_ = 0, xy_ = 0;
};

}  // namespace flashmoe
