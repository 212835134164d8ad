// Collects the rules of a grammar.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "grammar/automaton.h"
#include "grammar/grammar.h"
#include "grammar/nfa.h"

namespace flashmoe::grammar {

class GrammarBuilder {
 public:
  explicit GrammarBuilder(const GrammarLimits& limits) : limits_(limits) {}

  const GrammarLimits& limits() const { return limits_; }

  // A rule that may be called before it is defined.
  RuleId Reserve();
  // Nodes for one rule, which begins at node 0.
  Nfa NewNfa() const { return Nfa(kNodesPerState * limits_.states); }
  void Define(RuleId rule, const Nfa& nfa, NodeId end);
  // A machine without calls, as the rule.
  void Define(RuleId rule, Machine machine);

  // The limit on states is passed; what is defined from now on is ignored.
  bool IsFull() const { return full_; }
  Status Full() const;

  Result<std::shared_ptr<const Grammar>> Finish(RuleId root, std::vector<std::string> dropped);

 private:
  static constexpr size_t kNodesPerState = 4;  // what has one state has several nodes at first

  GrammarLimits limits_;
  std::vector<Machine> rules_;
  size_t states_ = 0;
  bool full_ = false;
};

}  // namespace flashmoe::grammar
