#include "grammar/grammar_builder.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "grammar/compiled_grammar.h"
#include "grammar/machine.h"

namespace flashmoe::grammar {

RuleId GrammarBuilder::Reserve() {
  rules_.emplace_back().states.emplace_back();  // until it is defined: no text
  ++states_;
  return static_cast<RuleId>(rules_.size() - 1);
}

void GrammarBuilder::Define(RuleId rule, const Nfa& nfa, NodeId end) {
  if (nfa.Overflowed()) {
    full_ = true;
    return;
  }
  std::optional<Machine> machine = Determinize(nfa, 0, end, 2 * nfa.size() + 64);
  Define(rule, machine ? std::move(*machine) : WithoutEmptyEdges(nfa, 0, end));
}

void GrammarBuilder::Define(RuleId rule, Machine machine) {
  states_ += machine.states.size();
  if (states_ > limits_.states) full_ = true;
  if (!full_) rules_[rule] = std::move(machine);
}

Status GrammarBuilder::Full() const {
  if (!full_) return {};
  return Fail(ErrorCode::kUnsupported,
              fmt::format("the grammar needs more than {} states", limits_.states), {},
              "use smaller lengths and counts, or a smaller schema");
}

Result<std::shared_ptr<const Grammar>> GrammarBuilder::Finish(RuleId root,
                                                              std::vector<std::string> dropped) {
  FM_RETURN_IF_ERROR(Full());
  Automaton automaton(rules_, root, limits_.stack_depth);
  if (!automaton.HasText() || automaton.height(automaton.start()) > limits_.stack_depth) {
    return InvalidInput("nothing can satisfy this: there is no text that ends", {},
                        "look for contradictions and for references that never end");
  }
  return std::make_shared<const Grammar>(std::move(automaton), std::move(dropped));
}

}  // namespace flashmoe::grammar
