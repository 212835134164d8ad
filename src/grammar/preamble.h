// What comes before an answer, and free text up to a marker.
#pragma once

#include <string_view>

#include "grammar/grammar_builder.h"

namespace flashmoe::grammar {

// Any text without `marker`, and then the marker.
NodeId AppendUntil(GrammarBuilder& builder, Nfa& nfa, NodeId from, std::string_view marker);

// The thinking block, if there is one, and the blank lines behind it.
NodeId AppendPreamble(GrammarBuilder& builder, Nfa& nfa, NodeId from, ThinkingBlock thinking);

// Up to `most` line breaks.
NodeId AppendLineBreaks(Nfa& nfa, NodeId from, int most);

}  // namespace flashmoe::grammar
