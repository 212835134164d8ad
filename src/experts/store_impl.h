// What stands behind ExpertStore and ExpertStream: slots, the reads that fill them, and the one
// request being served. Included by store.cc and stream.cc only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/memory.h"
#include "base/prefault.h"
#include "experts/cache.h"
#include "experts/guess_judge.h"
#include "experts/store.h"

namespace flashmoe {

struct ExpertStore::Impl {
  Impl(ExpertCatalog catalog_in, Memory memory_in, uint64_t slot_bytes_in, ExpertCache cache_in,
       const StoreOptions& options);

  // The stream's life: Begin, Next until it has nothing more, End.
  Status Begin(int layer, std::span<const int> experts, std::span<const int32_t> chosen,
               const std::function<bool()>* stop);
  Result<std::span<const ResidentExpert>> Next(size_t most, bool wait);
  void End();
  bool WaitsForReads() const { return demanded > 0 || next_miss < misses.size(); }

  void Clear();
  void LimitSlots(uint64_t slots);

  // Guesses (prefetch.cc).
  bool WantsGuesses(int wanted_layer) const;
  void Expect(int wanted_layer, std::span<const ExpertGuess> guesses, int at_once);
  void Poll();
  void KeepGuessed(uint32_t slot, const ExpertGuess& guess);  // if it is in memory
  void Judge();                             // what was expected, by the request that is beginning
  void SubmitGuesses();                     // as the disk is idle
  void ReleaseGuesses();                    // unpins those that are there, forgets the others
  void UseGuess(uint32_t slot, int index);  // of the request, if a guess filled the slot
  void GuessArrived(uint32_t slot);

  Status CheckRequest(int layer, std::span<const int> experts);
  void NoteUses(std::span<const int32_t> chosen);
  void SubmitMisses();
  void SubmitReads(uint32_t slot);
  void Collect(bool wait);
  bool Stops() const;    // the request is not wanted any more
  bool GivesUp() const;  // on the disk, or because it stops
  void NoteSilence();    // as the request's error
  void LeaveReads();     // of the request, which then are nobody's
  void Complete(ReadCompletion& completion);
  void DemandArrived(uint32_t slot);
  std::span<const Extent> PiecesIn(uint32_t slot) const;
  void Drain();
  void LetGo();
  std::span<const ResidentExpert> HandOut(size_t count);

  const ExpertCatalog catalog;
  Memory memory;      // slots * slot_bytes; outlives the reader, which writes to it
  Prefault prefault;  // of the memory
  const uint64_t slot_bytes;
  std::unique_ptr<AsyncReader> reader;
  ExpertCache cache;
  StoreStats stats;

  // Reads that fill a slot.
  struct Fill {
    int index = 0;  // in the request, kGuessed or kLeft
    int pieces_left = 0;
    bool failed = false;
    bool released = false;  // a guess that has expired
  };
  static constexpr int kGuessed = -1;
  static constexpr int kLeft = -2;  // by a request that gave up
  std::vector<Fill> fills;          // [slots]
  int arriving = 0;                 // slots with reads in flight
  int demanded = 0;                 // of these, for the request
  double reading_since_s = 0;
  double silent_s = 0;  // waited since a read has ended, or the request begun
  std::vector<ReadCompletion> completions;

  // The request.
  struct Ready {
    int index = 0;
    uint32_t slot = 0;
  };
  bool streaming = false;
  const std::function<bool()>* stop = nullptr;
  int layer = 0;
  std::vector<int> experts;
  std::vector<int> misses;  // indices without a slot, from next_miss on
  size_t next_miss = 0;
  std::vector<Ready> ready;  // resident and pinned; from next_ready on not handed out yet
  size_t next_ready = 0;
  std::vector<uint32_t> slots_out;  // of those handed out by the last call
  std::vector<ResidentExpert> handed_out;
  std::vector<const std::byte*> handed_out_pieces;
  std::optional<Error> error;  // the first
  std::vector<uint64_t> seen;  // [experts] the number of the last request that had it
  uint64_t request_number = 0;

  // What is expected next.
  struct Expected {
    ExpertKey key = 0;
    int kind = 0;
    bool sure = false;
    bool absent = false;  // when it was guessed
  };
  const int experts_per_token;
  const bool prefetch;
  const double silence_max_s;
  const uint64_t floors;              // of all layers
  uint64_t guesses_held_max() const;  // so many slots can be without that a request lacks some
  GuessJudge judge;
  int expected_layer = -1;
  std::vector<Expected> expected;
  size_t next_expected = 0;
  size_t guesses_at_once = 0;
  std::vector<uint32_t> guessed;  // slots that guesses hold pinned: arriving or resident
};

}  // namespace flashmoe
