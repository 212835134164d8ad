// The inside of a Grammar (grammar.h).
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/mask_memo.h"

namespace flashmoe {

class Grammar {
 public:
  Grammar(grammar::Automaton automaton, std::vector<std::string> dropped)
      : automaton_(std::move(automaton)), dropped_(std::move(dropped)) {}

  const grammar::Automaton& automaton() const { return automaton_; }
  const std::vector<std::string>& dropped() const { return dropped_; }

  // The masks that matchers share, of the vocabulary that was asked for last.
  std::shared_ptr<grammar::MaskMemo> MemoFor(const std::shared_ptr<const TokenTrie>& trie) const {
    const std::scoped_lock lock(mutex_);
    if (!memo_ || memo_->trie() != trie) {
      memo_ = std::make_shared<grammar::MaskMemo>(automaton_, trie);
    }
    return memo_;
  }

 private:
  grammar::Automaton automaton_;
  std::vector<std::string> dropped_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<grammar::MaskMemo> memo_;
};

}  // namespace flashmoe
