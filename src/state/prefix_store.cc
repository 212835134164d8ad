#include "state/prefix_store.h"

#include <algorithm>

namespace flashmoe {
Result<std::unique_ptr<PrefixStore>> PrefixStore::Open(PrefixStoreOptions options) {
  std::unique_ptr<PrefixStore> store(new PrefixStore(std::move(options)));
  const PrefixStoreOptions& o = store->options_;
  if (o.folder.empty()) return store;
  FM_ASSIGN_OR_RETURN(store->folder_,
                      CheckpointFolder::Open(o.folder, o.model, o.disk_bytes, o.notice));
  store->AddFound(store->folder_->found());
  return store;
}

PrefixStore::~PrefixStore() = default;

uint64_t PrefixStore::BytesOf(int64_t begin, int64_t end) const {
  const auto positions = static_cast<uint64_t>(end - begin);
  return positions * (options_.shape.bytes_per_position() + sizeof(int32_t)) +
         options_.shape.fixed_bytes();
}

PrefixStore::Node* PrefixStore::Find(const Digest& key) {
  const auto found = nodes_.find(key);
  return found == nodes_.end() ? nullptr : &found->second;
}

// The checkpoint's key and those it builds on, the last one first.
std::vector<Digest> PrefixStore::Chain(Digest key) {
  std::vector<Digest> chain;
  for (const Node* node = Find(key); node != nullptr; node = Find(key)) {
    chain.push_back(key);
    key = node->parent;
  }
  return chain;
}

void PrefixStore::Add(const Digest& key, const Digest& parent, int64_t begin, int64_t end) {
  Node& node = nodes_[key];
  node.parent = parent;
  node.begin = begin;
  node.end = end;
  if (begin > 0) ++Find(parent)->children;
}

// Those whose beginnings have left stay where they are until they leave, too.
void PrefixStore::AddFound(std::vector<CheckpointHeader> found) {
  std::ranges::sort(found, {}, &CheckpointHeader::end);
  const StateShape& shape = options_.shape;
  for (const CheckpointHeader& h : found) {
    const auto positions = static_cast<uint64_t>(h.end - h.begin);
    const Node* parent = Find(h.parent);
    const bool fits = h.begin == 0 || (parent != nullptr && parent->end == h.begin);
    if (!fits || h.begin % kPrefixUnit != 0 || h.end % kPrefixUnit != 0 || Find(h.key) != nullptr ||
        h.position_bytes != positions * shape.bytes_per_position() ||
        h.recurrent_bytes != shape.fixed_bytes()) {
      continue;
    }
    Add(h.key, h.parent, h.begin, h.end);
    Node& node = *Find(h.key);
    node.resumable = true;
    node.on_disk = true;
  }
}

void PrefixStore::HearNews() {
  if (folder_ == nullptr) return;
  const CheckpointFolder::News news = folder_->Poll();
  for (const auto* keys : {&news.written, &news.failed}) {
    for (const Digest& key : *keys) {
      Node* node = Find(key);
      if (node == nullptr) continue;
      node->being_written = false;
      node->on_disk = keys == &news.written;
      if (node->on_disk) folder_->Touch(Chain(key));
    }
  }
  for (const Digest& key : news.removed) {
    Node* node = Find(key);
    if (node == nullptr) continue;
    node->on_disk = false;
    if (node->data == nullptr) Erase(key);
  }
}

int64_t PrefixStore::Restore(std::span<const int32_t> tokens, SequenceState& state) {
  HearNews();
  std::vector<Digest> matches;
  PrefixKeys keys(tokens);
  for (int64_t length = kPrefixUnit; length < std::ssize(tokens); length += kPrefixUnit) {
    const Digest key = keys.At(length);
    const Node* node = Find(key);
    if (node != nullptr && node->resumable && node->end == length) matches.push_back(key);
  }
  for (; !matches.empty(); matches.pop_back()) {
    if (!RestoreFrom(matches.back(), tokens, state)) continue;
    ++used_;
    NoteUse(matches.back());
    return state.position();
  }
  state.Reset();
  return 0;
}

// The parts of the checkpoint are kept from leaving while they are taken in.
bool PrefixStore::RestoreFrom(const Digest& key, std::span<const int32_t> tokens,
                              SequenceState& state) {
  std::vector<Digest> chain = Chain(key);
  if (chain.empty() || Find(chain.back())->begin != 0) return false;
  std::ranges::reverse(chain);
  for (const Digest& part : chain) ++Find(part)->pins;
  const auto bad = std::ranges::find_if_not(
      chain, [&](const Digest& part) { return TakeIn(part, tokens, state, part == key); });
  for (const Digest& part : chain) --Find(part)->pins;
  if (bad == chain.end()) return true;
  if (Find(*bad)->broken) Erase(*bad);
  return false;
}

bool PrefixStore::TakeIn(const Digest& key, std::span<const int32_t> tokens, SequenceState& state,
                         bool last) {
  const std::shared_ptr<Checkpoint> data = DataOf(key);
  const Node& node = *Find(key);
  if (data == nullptr) return false;
  // Digests may be forged.
  const auto mine = tokens.subspan(static_cast<size_t>(node.begin), data->tokens.size());
  if (!std::ranges::equal(mine, data->tokens)) return false;
  state.TakePositions(node.begin, node.end, data->positions);
  if (last) state.Resume(node.end, data->recurrent);
  return true;
}

// From memory, or from the disk and into memory if there is room.
std::shared_ptr<Checkpoint> PrefixStore::DataOf(const Digest& key) {
  Node& node = *Find(key);
  if (node.data != nullptr || folder_ == nullptr) return node.data;
  // It takes memory while it is used, whether it stays or not.
  if (!MakeRoom(BytesOf(node.begin, node.end))) return nullptr;
  std::optional<Checkpoint> read = folder_->Read(key);
  const bool same = read && read->begin == node.begin && read->end == node.end &&
                    read->bytes() == BytesOf(node.begin, node.end) &&
                    read->recurrent.size() == options_.shape.fixed_bytes();
  if (!same) {
    node.broken = true;
    return nullptr;
  }
  node.data = std::make_shared<Checkpoint>(std::move(*read));
  bytes_ += node.data->bytes();
  return node.data;
}

void PrefixStore::NoteUse(const Digest& key) {
  const std::vector<Digest> chain = Chain(key);
  Find(key)->used = ++clock_;
  if (folder_ != nullptr) folder_->Touch(chain);
}

bool PrefixStore::MakeRoom(uint64_t bytes) {
  if (bytes > options_.memory_bytes) return false;
  while (bytes_ + drafted_ + bytes > options_.memory_bytes) {
    if (!LetGoOldest()) return false;
  }
  return true;
}

// What is in the folder can leave the memory at any time; of the rest, what nothing builds on. What
// something builds on can lose its recurrent state. The least recently used goes first.
bool PrefixStore::LetGoOldest() {
  const auto can_go = [&](const Node& node) {
    if (node.data == nullptr || node.being_written) return false;
    if (node.on_disk) return true;
    return node.pins == 0 && (node.children == 0 || !node.data->recurrent.empty());
  };
  auto oldest = nodes_.end();
  for (auto it = nodes_.begin(); it != nodes_.end(); ++it) {
    if (!can_go(it->second)) continue;
    if (oldest == nodes_.end() || it->second.used < oldest->second.used) oldest = it;
  }
  if (oldest == nodes_.end()) return false;
  Node& node = oldest->second;
  if (node.on_disk) {
    LetGoOfData(node);
  } else if (node.children == 0) {
    Erase(Digest(oldest->first));
  } else {
    bytes_ -= node.data->recurrent.size();
    std::vector<std::byte>().swap(node.data->recurrent);
    node.resumable = false;
  }
  return true;
}

void PrefixStore::LetGoOfData(Node& node) {
  if (node.data == nullptr) return;
  bytes_ -= node.data->bytes();
  node.data = nullptr;
}

// With everything that builds on it.
void PrefixStore::Erase(const Digest& key) {
  Node* node = Find(key);
  std::vector<Digest> children;
  if (node->children > 0) {
    for (const auto& [other, candidate] : nodes_) {
      if (candidate.parent == key && candidate.begin > 0) children.push_back(other);
    }
  }
  for (const Digest& child : children) Erase(child);
  LetGoOfData(*node);
  if (node->begin > 0) --Find(node->parent)->children;
  nodes_.erase(key);
}

void PrefixStore::Flush() {
  if (folder_ == nullptr) return;
  folder_->Flush();
  HearNews();
}

PrefixStoreStats PrefixStore::stats() const {
  PrefixStoreStats stats;
  for (const auto& [key, node] : nodes_) stats.checkpoints += node.data != nullptr ? 1 : 0;
  stats.bytes = bytes_;
  stats.made = made_;
  stats.used = used_;
  if (folder_ != nullptr) {
    stats.disk_bytes = folder_->bytes();
    stats.damaged = folder_->damaged();
  }
  return stats;
}

}  // namespace flashmoe
