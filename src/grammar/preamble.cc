#include "grammar/preamble.h"

#include "grammar/machine.h"
#include "grammar/string_text.h"

namespace flashmoe {

ThinkingBlock ThinkingAfter(std::string_view prompt, bool thinks) {
  while (!prompt.empty() && (prompt.back() == '\n' || prompt.back() == ' ')) {
    prompt.remove_suffix(1);
  }
  if (prompt.ends_with("<think>")) return ThinkingBlock::kOpen;
  if (prompt.ends_with("</think>") || !thinks) return ThinkingBlock::kNone;
  return ThinkingBlock::kOptional;
}

}  // namespace flashmoe

namespace flashmoe::grammar {

NodeId AppendLineBreaks(Nfa& nfa, NodeId from, int most) {
  const NodeId to = nfa.AddNode();
  nfa.AddEmpty(from, to);
  for (int i = 0; i < most; ++i) {
    from = nfa.Literal(from, "\n");
    nfa.AddEmpty(from, to);
  }
  return to;
}

NodeId AppendPreamble(GrammarBuilder& builder, Nfa& nfa, NodeId from, ThinkingBlock thinking,
                      std::string_view forbidden) {
  constexpr std::string_view kOpen = "<think>", kClose = "</think>";
  constexpr size_t kStatesMax = 1 << 12;  // two short texts need some dozens
  if (thinking == ThinkingBlock::kNone) return from;
  Machine thoughts = WithoutPartMachine(kClose);
  if (!forbidden.empty()) {
    thoughts = *Intersect(thoughts, WithoutPartMachine(forbidden), kStatesMax);
  }
  const RuleId rule = builder.Reserve();
  Nfa block = builder.NewNfa();
  builder.Define(rule, block, block.Literal(block.Insert(0, thoughts), kClose));

  const NodeId inside =
      thinking == ThinkingBlock::kOpen ? from : nfa.Literal(AppendLineBreaks(nfa, from, 1), kOpen);
  const NodeId to = AppendLineBreaks(nfa, nfa.Call(inside, rule), 2);
  if (thinking == ThinkingBlock::kOptional) nfa.AddEmpty(from, to);
  return to;
}

}  // namespace flashmoe::grammar
