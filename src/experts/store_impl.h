// What stands behind ExpertStore and ExpertStream: slots, the reads that fill them, and the one
// request being served. Included by store.cc and stream.cc only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/memory.h"
#include "experts/cache.h"
#include "experts/store.h"

namespace flashmoe {

struct ExpertStore::Impl {
  Impl(ExpertCatalog catalog_in, Memory memory_in, uint64_t slot_bytes_in, ExpertCache cache_in);

  // The stream's life: Begin, Next until it has nothing more, End.
  Status Begin(int layer, std::span<const int> experts);
  Result<std::optional<ResidentExpert>> Next();
  void End();

  Status CheckRequest(int layer, std::span<const int> experts);
  void SubmitMisses();
  void SubmitReads(uint32_t slot);
  void Collect(bool wait);
  void Complete(ReadCompletion& completion);
  void Drain();
  void LetGo();
  ResidentExpert HandOut();

  const ExpertCatalog catalog;
  Memory memory;  // slots * slot_bytes; outlives the reader, which writes to it
  const uint64_t slot_bytes;
  std::unique_ptr<AsyncReader> reader;
  ExpertCache cache;
  StoreStats stats;

  // Reads that fill a slot.
  struct Fill {
    int index = 0;  // in the request
    int pieces_left = 0;
    bool failed = false;
  };
  std::vector<Fill> fills;  // [slots]
  int arriving = 0;         // slots with reads in flight
  double reading_since_s = 0;
  std::vector<ReadCompletion> completions;

  // The request.
  struct Ready {
    int index = 0;
    uint32_t slot = 0;
  };
  bool streaming = false;
  int layer = 0;
  std::vector<int> experts;
  std::vector<int> misses;  // indices without a slot, from next_miss on
  size_t next_miss = 0;
  std::vector<Ready> ready;  // resident and pinned; from next_ready on not handed out yet
  size_t next_ready = 0;
  uint32_t handed_out = ExpertCache::kNoSlot;
  std::vector<const std::byte*> handed_out_pieces;
  std::optional<Error> error;  // the first
  std::vector<uint64_t> seen;  // [experts] the number of the last request that had it
  uint64_t request_number = 0;
};

}  // namespace flashmoe
