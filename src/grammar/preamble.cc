#include "grammar/preamble.h"

#include "grammar/machine.h"
#include "grammar/string_text.h"

namespace flashmoe::grammar {

NodeId AppendUntil(GrammarBuilder& builder, Nfa& nfa, NodeId from, std::string_view marker) {
  const RuleId rule = builder.Reserve();
  Nfa text = builder.NewNfa();
  builder.Define(rule, text, text.Literal(text.Insert(0, WithoutPartMachine(marker)), marker));
  return nfa.Call(from, rule);
}

NodeId AppendLineBreaks(Nfa& nfa, NodeId from, int most) {
  const NodeId to = nfa.AddNode();
  nfa.AddEmpty(from, to);
  for (int i = 0; i < most; ++i) {
    from = nfa.Literal(from, "\n");
    nfa.AddEmpty(from, to);
  }
  return to;
}

NodeId AppendPreamble(GrammarBuilder& builder, Nfa& nfa, NodeId from, ThinkingBlock thinking) {
  if (thinking == ThinkingBlock::kNone) return from;
  const NodeId inside = thinking == ThinkingBlock::kOpen
                            ? from
                            : nfa.Literal(AppendLineBreaks(nfa, from, 1), "<think>");
  const NodeId to = AppendLineBreaks(nfa, AppendUntil(builder, nfa, inside, "</think>"), 2);
  if (thinking == ThinkingBlock::kOptional) nfa.AddEmpty(from, to);
  return to;
}

}  // namespace flashmoe::grammar
