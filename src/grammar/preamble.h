// What comes before an answer.
#pragma once

#include <string_view>

#include "grammar/grammar_builder.h"

namespace flashmoe::grammar {

// The thinking block, if there is one, and the blank lines behind it. `forbidden` (if not empty) is
// nothing that a model may think.
NodeId AppendPreamble(GrammarBuilder& builder, Nfa& nfa, NodeId from, ThinkingBlock thinking,
                      std::string_view forbidden = {});

// Up to `most` line breaks.
NodeId AppendLineBreaks(Nfa& nfa, NodeId from, int most);

}  // namespace flashmoe::grammar
