// The cache of experts in memory: slots that the disk fills and kernels read.
//
// Knows keys, extents and bytes, never floats. One thread drives it. A layer's request is a stream:
//
//   FM_ASSIGN_OR_RETURN(ExpertStream stream, store.Stream(layer, experts));
//   while (true) {
//     FM_ASSIGN_OR_RETURN(std::optional<ResidentExpert> expert, stream.Next());
//     if (!expert) break;
//     ... compute from expert->pieces; the slot stays pinned until the next call of Next()
//   }
//
// Experts arrive in any order: resident ones first, then each as its last byte arrives. Reads for
// missing experts are in flight from the moment Stream() returns, as many as there are free slots;
// the rest follow as slots are let go.
//
// Between requests the store may be told what will probably be asked for next (Expect()). Such
// guesses are read while the disk has nothing else to do and a few at a time, so that a demanded
// read hardly waits for them; they expire with the next request. Only guesses of a kind that has
// proved right are read (experts/guess_judge.h); experts guessed that are in memory stay there.
//
// What stays in memory: what the policy holds worth most (experts/policy.h), over all layers, but
// each layer keeps experts_per_token whatever the others need (experts/cache.h). So a request for
// up to experts_per_token experts has all of its reads in flight at once, and one for more, up to
// all of the layer's, passes through the slots that the layer can have in turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/status.h"
#include "experts/policy.h"
#include "io/async_reader.h"
#include "io/file.h"

namespace flashmoe {

// A run of bytes of an expert in a file: one for each of gate, up and down in GGUF, two where gate
// and up are fused, nine in MLX (weights, scales and biases of each).
struct Extent {
  const File* file = nullptr;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

// Where every routed expert lies. Rectangular: every layer has the same number of experts, and all
// experts of one layer the same number of pieces, with the same sizes.
class ExpertCatalog {
 public:
  ExpertCatalog(int layers, int experts) : experts_(experts), extents_(layers) {}

  // `extents`: [experts * pieces], expert-major, none empty. A layer without routed experts has
  // none. The files outlive the catalog and its copies.
  void SetLayer(int layer, int pieces, std::vector<Extent> extents);

  int layers() const { return static_cast<int>(extents_.size()); }
  int experts() const { return experts_; }
  int routed_layers() const;  // layers with experts
  std::span<const Extent> pieces(int layer, int expert) const;
  // Slot bytes that an expert of this layer needs at most (its pieces, each with block slack).
  uint64_t slot_bytes(int layer) const;
  uint64_t max_slot_bytes() const;
  // File bytes of one expert of this layer, and of all experts of all layers.
  uint64_t expert_bytes(int layer) const;
  uint64_t total_bytes() const;

 private:
  int experts_;
  struct Layer {
    int pieces = 0;
    std::vector<Extent> extents;
    uint64_t slot_bytes = 0;
    uint64_t expert_bytes = 0;
  };
  std::vector<Layer> extents_;
};

using ReaderWrap = std::function<std::unique_ptr<AsyncReader>(std::unique_ptr<AsyncReader>)>;

struct StoreOptions {
  uint64_t slots = 0;  // >= MinSlots(catalog, experts_per_token); more than all experts are cut
  int experts_per_token = 0;
  bool prefetch = true;  // false: Expect() does nothing
  // How long a disk may be silent, with reads in flight, before the request that waits fails.
  double silence_max_s = 60;
  CachePolicyKind policy = kDefaultCachePolicy;
  // Puts another reader in front, e.g. one that behaves like a slower disk. May be empty.
  ReaderWrap wrap_reader = {};
};

// An expert that will probably be asked for. Guesses of one kind are right equally often: those of
// the same rank, or those that as many tokens seem to want.
struct ExpertGuess {
  int expert = 0;
  int kind = 0;       // 0 .. kGuessKinds - 1
  bool sure = false;  // read until its kind proves wrong; others only once theirs has proved right
};

struct StoreStats {
  uint64_t requests = 0;            // experts asked for, once per Stream() call and distinct expert
  uint64_t hits = 0;                // of these, resident when asked for, by a guess or from before
  uint64_t bytes_read = 0;          // wanted bytes that arrived, guessed ones among them
  uint64_t guesses_read = 0;        // experts whose reading began before they were asked for
  uint64_t guesses_in_time = 0;     // of these, there when asked for
  uint64_t guesses_late = 0;        // on their way when asked for
  uint64_t bytes_guessed = 0;       // that these reads asked for
  uint64_t bytes_guessed_used = 0;  // of these, of experts that were asked for afterwards
  uint64_t slots_given_back = 0;    // to the system, by LimitSlots()
  double wait_s = 0;                // time that Next() blocked on the disk
  double read_s = 0;                // time with at least one read in flight, seen from this thread
};

struct ResidentExpert {
  int index = 0;  // position in the span given to Stream()
  int expert = 0;
  // First byte of each piece, in catalog order.
  std::span<const std::byte* const> pieces;
};

class ExpertStore;

// A request for some experts of a layer; see above. Destroying it early lets reads in flight arrive
// and unpins everything; reads that a disk keeps to itself for too long are left behind, and their
// slots are of use again when they have ended. It must not outlive the store; one stream at a time.
class ExpertStream {
 public:
  ExpertStream(ExpertStream&& other) noexcept;
  ExpertStream& operator=(ExpertStream&&) = delete;
  ~ExpertStream();

  // nullopt: all have been handed out. An error (EIO, truncated file) names file, offset, layer and
  // expert, of a disk that does not answer file and layer; the stream then hands out nothing more,
  // and the store stays usable.
  Result<std::optional<ResidentExpert>> Next();

  // Those that have come and were not handed out yet, `most` of them; they stay pinned until the
  // next call. With `wait` it waits for one, and none means that all have been handed out; without,
  // it may just be too early. Otherwise like Next().
  Result<std::span<const ResidentExpert>> NextBatch(bool wait, size_t most = SIZE_MAX);

  // Whether some had yet to come when it was last looked (by the call before).
  bool Waits() const;

 private:
  friend class ExpertStore;
  explicit ExpertStream(ExpertStore* store) : store_(store) {}
  ExpertStore* store_;
};

class ExpertStore {
 public:
  // One token's working set: the smallest number of slots that a store accepts. It is enough for
  // requests of any size, since a layer always has experts_per_token slots that are free, its own,
  // or above another layer's floor.
  static uint64_t MinSlots(const ExpertCatalog& catalog, int experts_per_token);

  // Allocates the slots. The reader is made by the store, which owns the memory it reads into.
  static Result<std::unique_ptr<ExpertStore>> Create(ExpertCatalog catalog,
                                                     const StoreOptions& options,
                                                     const ReaderOptions& reader);
  // For tests: with a reader of their own.
  static Result<std::unique_ptr<ExpertStore>> Create(ExpertCatalog catalog,
                                                     const StoreOptions& options,
                                                     std::unique_ptr<AsyncReader> reader);
  ~ExpertStore();

  // `experts`: distinct, any number of the layer's experts. `chosen`: [tokens, experts_per_token],
  // what each token of a chunk chose among them, so that the cache knows how often each is used;
  // empty: one token chose them all. `stop` is asked while the disk is silent: true ends the stream
  // with kCancelled. It outlives the stream; may be null. REQUIRES: no other stream is alive, ids
  // in `chosen` in range.
  Result<ExpertStream> Stream(int layer, std::span<const int> experts,
                              std::span<const int32_t> chosen = {},
                              const std::function<bool()>* stop = nullptr);

  // Whether there is a use for guesses about `layer`: prefetching is on and the layer is not all in
  // memory.
  bool WantsGuesses(int layer) const;

  // What the next request for `layer` will probably want: distinct, likeliest first. Takes the
  // place of what was expected before. `at_once`: guesses that may be on their way at a time.
  // REQUIRES: expert and kind in range.
  void Expect(int layer, std::span<const ExpertGuess> guesses, int at_once);

  // Goes on reading guesses. For between requests, where much is computed; costs next to nothing.
  void Poll();

  // Until the system has given all of the slots' memory, which begins when the store is made and
  // goes on beside requests. A virtual machine's host may take 2 s for each GB.
  void AwaitMemory();

  // Makes do with so many slots from now on, or takes as many again: at least MinSlots(), at most
  // slots_made(). The memory of the others goes back to the system, and what they held is read
  // again when it is wanted. A slot that a read is on its way to keeps those below it for now.
  // REQUIRES: no stream is alive.
  void LimitSlots(uint64_t slots);

  // Forgets what is in memory, as if nothing had been read yet; what the policy has learnt stays.
  // REQUIRES: no stream is alive.
  void Clear();

  const ExpertCatalog& catalog() const;
  const AsyncReader& reader() const;
  uint64_t slots() const;       // in use
  uint64_t slots_made() const;  // when the store was
  uint64_t slots_min() const;
  uint64_t slots_used() const;  // that hold an expert or await one
  bool IsResident(int layer, int expert) const;
  const StoreStats& stats() const;
  void ResetStats();

 private:
  friend class ExpertStream;
  struct Impl;
  static Result<std::unique_ptr<Impl>> MakeImpl(ExpertCatalog catalog, const StoreOptions& options);
  explicit ExpertStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace flashmoe
