// The compiled form of a grammar: a pushdown automaton over bytes. A state either reads a byte,
// calls a rule (and goes on at `after` when that rule ends), or ends the rule it belongs to.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace flashmoe::grammar {

using StateId = uint32_t;
using RuleId = uint32_t;

struct ByteEdge {
  uint8_t first = 0, last = 0;
  StateId target = 0;
  auto operator<=>(const ByteEdge&) const = default;
};

struct CallEdge {
  uint32_t callee = 0;  // a rule while a machine is made, its first state in an Automaton
  StateId after = 0;
  auto operator<=>(const CallEdge&) const = default;
};

// One rule, or one regular expression if it calls nothing. State 0 is the first.
struct Machine {
  struct State {
    std::vector<ByteEdge> bytes;  // sorted; disjoint if `deterministic`
    std::vector<CallEdge> calls;
    bool final = false;
  };
  std::vector<State> states;
};

class Automaton {
 public:
  // How many rules can be nested from here on at least, until the rule of the state ends.
  using Height = uint16_t;
  static constexpr Height kNever = std::numeric_limits<Height>::max();

  // Calls name rules by index; answers begin in `root`. Ways that never end are taken out: from
  // every state that is left, some text ends its rule.
  Automaton(const std::vector<Machine>& rules, RuleId root, int stack_depth);

  // False: no text at all, all ways are endless.
  bool HasText() const { return heights_[start_] != kNever; }

  StateId start() const { return start_; }
  size_t size() const { return final_.size(); }
  int stack_depth() const { return stack_depth_; }

  std::span<const ByteEdge> bytes(StateId s) const {
    return {bytes_.data() + bytes_begin_[s], bytes_.data() + bytes_begin_[s + 1]};
  }
  std::span<const CallEdge> calls(StateId s) const {
    return {calls_.data() + calls_begin_[s], calls_.data() + calls_begin_[s + 1]};
  }
  bool IsFinal(StateId s) const { return final_[s] != 0; }
  // Reads bytes and does nothing else.
  bool IsPlain(StateId s) const { return plain_[s] != 0; }
  // Ends its rule and does nothing else: a call that returns here needs no place on the stack.
  bool IsEnd(StateId s) const { return IsFinal(s) && bytes(s).empty() && calls(s).empty(); }
  Height height(StateId s) const { return heights_[s]; }

 private:
  void Link(const std::vector<Machine>& rules, RuleId root);
  void ComputeHeights();
  void DropEndlessWays();

  StateId start_ = 0;
  int stack_depth_ = 0;
  std::vector<uint32_t> bytes_begin_, calls_begin_;  // [states + 1]
  std::vector<ByteEdge> bytes_;
  std::vector<CallEdge> calls_;
  std::vector<uint8_t> final_, plain_;  // [states]
  std::vector<Height> heights_;         // [states]
};

}  // namespace flashmoe::grammar
