// Checkpoints in the making.
#include <map>
#include <tuple>

#include "state/prefix_store.h"

namespace flashmoe {

std::vector<PrefixStore::Draft> PrefixStore::Begin(std::span<const int32_t> tokens,
                                                   std::span<const int64_t> ends) {
  HearNews();
  std::vector<Draft> drafts;
  if (ends.empty()) return drafts;
  PrefixKeys keys(tokens);
  std::map<int64_t, Digest> before;  // by end: what a draft may build on
  auto next = ends.begin();
  for (int64_t length = kPrefixUnit; next != ends.end() && length <= *next; length += kPrefixUnit) {
    const Digest key = keys.At(length);
    Node* node = Find(key);
    const bool wanted = length == *next;
    next += wanted ? 1 : 0;
    if (node != nullptr && (node->resumable || !wanted)) {
      if (wanted) NoteUse(key);
      before[length] = key;
      continue;
    }
    if (!wanted) continue;
    auto draft = std::make_shared<Checkpoint>();
    draft->key = key;
    draft->end = length;
    if (node != nullptr) {  // can only not be resumed
      draft->parent = node->parent;
      draft->begin = node->begin;
    } else if (!before.empty()) {
      std::tie(draft->begin, draft->parent) = *before.rbegin();
    }
    Node* parent = Find(draft->parent);
    if (parent != nullptr) ++parent->pins;
    if (!MakeRoom(BytesOf(draft->begin, length))) {
      if (parent != nullptr) --parent->pins;
      continue;
    }
    drafted_ += BytesOf(draft->begin, length);
    draft->recurrent.resize(options_.shape.fixed_bytes());
    const auto mine = tokens.subspan(static_cast<size_t>(draft->begin),
                                     static_cast<size_t>(length - draft->begin));
    draft->tokens.assign(mine.begin(), mine.end());
    before[length] = key;
    drafts.push_back({std::move(draft), parent != nullptr});
  }
  return drafts;
}

void PrefixStore::Commit(std::span<Draft> drafts, const SequenceState& state) {
  for (Draft& draft : drafts) {
    Checkpoint& c = *draft.checkpoint;
    const auto positions = static_cast<uint64_t>(c.end - c.begin);
    c.positions.resize(positions * options_.shape.bytes_per_position());
    state.CopyPositions(c.begin, c.end, c.positions);
    const std::shared_ptr<Checkpoint> made = draft.checkpoint;
    Drop({&draft, 1});
    if (Keep(made)) ++made_;
  }
}

void PrefixStore::Drop(std::span<Draft> drafts) {
  for (Draft& draft : drafts) {
    const Checkpoint& c = *draft.checkpoint;
    drafted_ -= BytesOf(c.begin, c.end);
    Node* parent = Find(c.parent);
    if (draft.pins_parent && parent != nullptr) --parent->pins;
    draft.checkpoint = nullptr;
  }
}

// Another sequence may have made the same meanwhile, or what it builds on may be damaged.
bool PrefixStore::Keep(const std::shared_ptr<Checkpoint>& c) {
  const Node* parent = Find(c->parent);
  if (c->begin > 0 && (parent == nullptr || parent->end != c->begin)) return false;
  Node* node = Find(c->key);
  if (node == nullptr) {
    Add(c->key, c->parent, c->begin, c->end);
    node = Find(c->key);
  } else if (node->resumable || node->begin != c->begin) {
    return false;
  }
  LetGoOfData(*node);
  node->resumable = true;
  node->data = c;
  node->used = ++clock_;
  bytes_ += c->bytes();
  node->being_written = folder_ != nullptr && folder_->Write(c);
  return true;
}

}  // namespace flashmoe
