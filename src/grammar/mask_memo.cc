#include "grammar/mask_memo.h"

#include "grammar/trie_walk.h"

namespace flashmoe::grammar {

std::shared_ptr<const StateMask> MaskMemo::Get(Masks& masks, uint64_t key, StateId state,
                                               const Part& part) {
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = masks.find(key); found != masks.end()) return found->second;
  }
  std::shared_ptr<const StateMask> mask = Compute(state, part);
  const std::scoped_lock lock(mutex_);
  bytes_ += mask->memory_bytes();
  if (bytes_ > kBytesMax) {
    short_masks_.clear();
    long_masks_.clear();
    bytes_ = mask->memory_bytes();
  }
  masks.try_emplace(key, mask);
  return mask;
}

std::shared_ptr<const StateMask> MaskMemo::Compute(StateId state, const Part& part) const {
  auto mask = std::make_shared<StateMask>();
  FrameTable frames;
  Stepper stepper(automaton_, frames);
  DenseSteps dense(automaton_);
  std::vector<Position> positions{{state, kBottom}};
  std::vector<size_t> levels;
  WalkTrie(
      part, 0, part.size(), 0, stepper, &dense, positions, levels,
      [&](int32_t token) { mask->tokens.push_back(token); },
      [&](uint32_t node) { mask->exits.push_back(node); });
  mask->reach = stepper.reach();
  if (mask->tokens.size() > trie_->mask_words()) {
    mask->bits.assign(trie_->mask_words(), 0);
    for (const int32_t token : mask->tokens) {
      mask->bits[static_cast<size_t>(token) / 32] |= uint32_t{1} << (token % 32);
    }
    mask->tokens = {};
  }
  mask->tokens.shrink_to_fit();
  mask->exits.shrink_to_fit();
  return mask;
}

}  // namespace flashmoe::grammar
