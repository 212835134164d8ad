// One pass over a part of a token trie with an automaton.
#pragma once

#include <vector>

#include "grammar/dense_steps.h"
#include "grammar/stacks.h"
#include "grammar/token_trie.h"

namespace flashmoe::grammar {

// Calls on_token(token) for each token of the nodes [begin, end) whose bytes (below `depth`, which
// are read already) lead from the set `from` to somewhere, and on_exit(node) where the outermost
// rule can end and tokens lie below. `from` is the whole of `positions`, which is scratch
// afterwards, as is `levels`. `dense` may be null.
template <typename OnToken, typename OnExit>
void WalkTrie(const TokenTrie::Impl::Part& trie, uint32_t begin, uint32_t end, size_t depth,
              Stepper& stepper, DenseSteps* dense, std::vector<Position>& positions,
              std::vector<size_t>& levels, OnToken on_token, OnExit on_exit) {
  // levels[d]: where the set after d bytes begins; it ends where the next one's begins.
  levels.resize(trie.depth_max + 2);
  levels[0] = 0;
  levels[1] = positions.size();
  for (uint32_t n = begin; n < end;) {
    const TokenTrie::Impl::Node& node = trie.nodes[n];
    const size_t d = node.depth - depth;
    const size_t from_begin = levels[d - 1], from_end = levels[d];
    StateId next = DenseSteps::kElse;
    if (dense != nullptr && from_end - from_begin == 1) {
      next = dense->Next(positions[from_begin].state, node.byte);
    }
    bool ended = false;
    if (next == DenseSteps::kElse) {
      positions.resize(from_end);
      ended = stepper.Step(from_begin, from_end, node.byte, positions);
    } else if (next != DenseSteps::kNowhere) {
      const FrameId frame = positions[from_begin].frame;
      positions.resize(from_end);
      positions.push_back({next, frame});
    } else {
      n = node.skip;
      continue;
    }
    const bool goes_on = positions.size() > from_end;
    if (!ended && !goes_on) {
      n = node.skip;
      continue;
    }
    const uint32_t tokens_end = trie.nodes[n + 1].tokens_begin;
    for (uint32_t t = node.tokens_begin; t < tokens_end; ++t) on_token(trie.tokens[t]);
    if (ended && node.skip > n + 1) on_exit(n);
    levels[d + 1] = positions.size();
    n = goes_on ? n + 1 : node.skip;
  }
}

}  // namespace flashmoe::grammar
