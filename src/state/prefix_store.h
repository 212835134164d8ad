// What the model remembers of the beginnings of past prompts, so that prompts which begin alike
// need not be read again. Checkpoints lie at multiples of 64 positions and hold what reading the
// prompt gives, so that to continue from one equals to read everything, bit for bit.
//
// Checkpoints share: each holds the keys and values since the one before it. They live in memory
// up to a limit, the least recently used ones leave first; with a folder, all are written there as
// well and come back when they are wanted.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "state/checkpoint.h"
#include "state/checkpoint_folder.h"
#include "state/sequence_state.h"

namespace flashmoe {

// Where prompts may be cut without a change of the results: the block of the delta rule.
inline constexpr int64_t kPrefixUnit = 64;

struct PrefixStoreOptions {
  uint64_t memory_bytes = 0;
  std::string folder;       // empty: none
  uint64_t disk_bytes = 0;  // in the folder
  Digest model;             // see CheckpointHeader
  StateShape shape;
  NoticeFn notice;  // hears of files that are ignored; may be empty
};

struct PrefixStoreStats {
  uint64_t checkpoints = 0, bytes = 0;  // in memory now
  uint64_t disk_bytes = 0;              // now
  uint64_t made = 0, used = 0;
  uint64_t damaged = 0;  // files that were ignored
};

// Used by one thread.
class PrefixStore {
 public:
  // Fails if the folder cannot be used.
  static Result<std::unique_ptr<PrefixStore>> Open(PrefixStoreOptions options);
  ~PrefixStore();

  // Takes `state` to the longest checkpoint of a beginning of `tokens` that leaves at least one
  // token to read, or to position 0 if there is none. Returns the position. REQUIRES: a state of
  // the store's shape.
  int64_t Restore(std::span<const int32_t> tokens, SequenceState& state);

  // A checkpoint that is being made: `recurrent` is to be filled with the state at `end`.
  struct Draft {
    std::shared_ptr<Checkpoint> checkpoint;
    int64_t end() const { return checkpoint->end; }
    std::span<std::byte> recurrent() const { return checkpoint->recurrent; }
    bool pins_parent = false;
  };
  // For beginnings of `tokens` of these lengths, ascending multiples of 64; those that there are
  // already and those there is no memory for are left out. One group at a time for each sequence.
  std::vector<Draft> Begin(std::span<const int32_t> tokens, std::span<const int64_t> ends);
  // Keeps them, with the positions from `state`, which must have come to the last one's end. Drafts
  // that are not wanted any more go back by Drop().
  void Commit(std::span<Draft> drafts, const SequenceState& state);
  void Drop(std::span<Draft> drafts);

  // Waits until everything is on the disk.
  void Flush();

  PrefixStoreStats stats() const;

 private:
  // In memory, in the folder, or both.
  struct Node {
    Digest parent;
    int64_t begin = 0, end = 0;
    bool resumable = false;  // has, or in the folder has, recurrent state
    std::shared_ptr<Checkpoint> data;
    bool on_disk = false;
    bool being_written = false;
    int children = 0;     // nodes that build on this
    int pins = 0;         // must not leave now
    bool broken = false;  // its file is
    uint64_t used = 0;
  };
  using Nodes = std::unordered_map<Digest, Node, DigestHash>;

  explicit PrefixStore(PrefixStoreOptions options) : options_(std::move(options)) {}
  Node* Find(const Digest& key);
  std::vector<Digest> Chain(Digest key);
  void AddFound(std::vector<CheckpointHeader> found);
  void HearNews();
  bool RestoreFrom(const Digest& key, std::span<const int32_t> tokens, SequenceState& state);
  bool TakeIn(const Digest& key, std::span<const int32_t> tokens, SequenceState& state, bool last);
  std::shared_ptr<Checkpoint> DataOf(const Digest& key);
  void NoteUse(const Digest& key);
  bool MakeRoom(uint64_t bytes);
  bool LetGoOldest();
  void Add(const Digest& key, const Digest& parent, int64_t begin, int64_t end);
  bool Keep(const std::shared_ptr<Checkpoint>& checkpoint);
  void LetGoOfData(Node& node);
  void Erase(const Digest& key);
  uint64_t BytesOf(int64_t begin, int64_t end) const;

  const PrefixStoreOptions options_;
  std::unique_ptr<CheckpointFolder> folder_;
  Nodes nodes_;
  uint64_t bytes_ = 0;    // of all data in memory
  uint64_t drafted_ = 0;  // of drafts
  uint64_t clock_ = 0;
  uint64_t made_ = 0, used_ = 0;
};

}  // namespace flashmoe
