// The parts of JSON texts. What many places share (any value, the rest of a string, space) is a
// rule of its own, made when it is first needed.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "grammar/grammar_builder.h"

namespace flashmoe::grammar {

class JsonText {
 public:
  JsonText(GrammarBuilder& builder, JsonSpace space) : builder_(builder), space_(space) {}

  NodeId Space(Nfa& nfa, NodeId from);
  NodeId Comma(Nfa& nfa, NodeId from) { return Space(nfa, nfa.Literal(from, ",")); }
  NodeId Colon(Nfa& nfa, NodeId from) { return Space(nfa, nfa.Literal(from, ":")); }

  NodeId AnyValue(Nfa& nfa, NodeId from);
  NodeId AnyObject(Nfa& nfa, NodeId from);
  NodeId AnyArray(Nfa& nfa, NodeId from);
  NodeId AnyString(Nfa& nfa, NodeId from);
  NodeId AnyNumber(Nfa& nfa, NodeId from);
  NodeId Boolean(Nfa& nfa, NodeId from);
  // Exactly this value. REQUIRES: not nested deeper than a schema may be.
  NodeId Value(Nfa& nfa, NodeId from, const nlohmann::ordered_json& value);
  // A string with the quotes around it.
  NodeId String(Nfa& nfa, NodeId from, std::string_view text);

 private:
  RuleId ValueRule();
  RuleId StringRule();
  NodeId Members(Nfa& nfa, NodeId from);

  GrammarBuilder& builder_;
  JsonSpace space_;
  std::optional<RuleId> space_rule_, value_rule_, string_rule_;
};

}  // namespace flashmoe::grammar
