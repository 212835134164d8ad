// One pass over a part of a token trie with an automaton.
#pragma once

#include <vector>

#include "grammar/stacks.h"
#include "grammar/token_trie.h"

namespace flashmoe::grammar {

// Calls on_token(token) for each token of nodes [begin, end) whose bytes (below `depth`, which are
// read already) lead from the set `from` to somewhere, and on_exit(node) where the outermost rule
// can end and tokens lie below. `from` is the whole of `positions`, which is scratch afterwards.
template <typename OnToken, typename OnExit>
void WalkTrie(const TokenTrie::Impl& trie, uint32_t begin, uint32_t end, size_t depth,
              Stepper& stepper, std::vector<Position>& positions, std::vector<size_t>& levels,
              OnToken on_token, OnExit on_exit) {
  // levels[d]: where the set after d bytes begins; it ends where the next one's begins.
  levels.assign({0, positions.size()});
  for (uint32_t n = begin; n < end;) {
    const TokenTrie::Impl::Node& node = trie.nodes[n];
    const size_t d = node.depth - depth;
    levels.resize(d + 1);
    positions.resize(levels[d]);
    const bool ended = stepper.Step(levels[d - 1], levels[d], node.byte, positions);
    const bool goes_on = positions.size() > levels[d];
    if (!ended && !goes_on) {
      n = node.skip;
      continue;
    }
    for (uint32_t t = node.tokens_begin; t < trie.nodes[n + 1].tokens_begin; ++t) {
      on_token(trie.tokens[t]);
    }
    if (ended && node.skip > n + 1) on_exit(n);
    levels.push_back(positions.size());
    n = goes_on ? n + 1 : node.skip;
  }
}

}  // namespace flashmoe::grammar
