// What each state of an automaton says about each token, computed once. A token either stays within
// the rule that the state belongs to (or ends exactly where that ends): then the stack below does
// not matter. Or the rule ends within the token: then the rest depends on who called, and where in
// the trie the rule ended is kept instead.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/state_classes.h"
#include "grammar/token_trie.h"

namespace flashmoe::grammar {

struct StateMask {
  std::vector<int32_t> tokens;  // allowed, if they are few
  std::vector<uint32_t> bits;   // else the same as a bit mask
  std::vector<uint32_t> exits;  // nodes with tokens below them, after whose byte the rule can end
  int reach = 0;                // frames needed above the state's own

  size_t memory_bytes() const { return 4 * (tokens.size() + bits.size() + exits.size()) + 64; }
};

// Thread-safe.
class MaskMemo {
 public:
  using Part = TokenTrie::Impl::Part;

  MaskMemo(const Automaton& automaton, std::shared_ptr<const TokenTrie> trie)
      : automaton_(automaton),
        trie_(std::move(trie)),
        classes_(StateClasses(automaton, TokenTrie::Impl::kShortBytes)) {}

  // Of the state's own bytes, for tokens of one length or the other; what its calls lead to are
  // other states.
  std::shared_ptr<const StateMask> ShortMask(StateId state) {
    return Get(short_masks_, classes_[state], state, trie_->impl().short_tokens);
  }
  std::shared_ptr<const StateMask> LongMask(StateId state) {
    return Get(long_masks_, state, state, trie_->impl().long_tokens);
  }
  const std::shared_ptr<const TokenTrie>& trie() const { return trie_; }

 private:
  static constexpr size_t kBytesMax = 64 << 20;
  using Masks = std::unordered_map<uint64_t, std::shared_ptr<const StateMask>>;

  std::shared_ptr<const StateMask> Get(Masks& masks, uint64_t key, StateId state, const Part& part);
  std::shared_ptr<const StateMask> Compute(StateId state, const Part& part) const;

  const Automaton& automaton_;
  std::shared_ptr<const TokenTrie> trie_;
  const std::vector<uint64_t> classes_;  // by state
  std::mutex mutex_;
  size_t bytes_ = 0;
  Masks short_masks_, long_masks_;
};

}  // namespace flashmoe::grammar
