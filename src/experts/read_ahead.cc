// Filling a store that has a slot for every expert, while the disk has nothing else to do: in the
// order of the layers, from the one after the last request on.
#include <algorithm>

#include "base/check.h"
#include "experts/store_impl.h"

namespace flashmoe {
namespace {

// On their way at a time, and so before a demanded read: a millisecond or two of a disk.
constexpr uint64_t kAheadBytes = 4 << 20;

}  // namespace

// A request for most of a layer is a long prompt's, and the next one will be as well: then all of a
// layer may be on its way, so that the disk is busy while the layer's other parts are computed.
// After a shorter one the next layer's demanded reads would stand behind many that nobody wants.
uint64_t ExpertStore::Impl::AheadBytesMax(int ahead_layer) const {
  const bool prompt = 4 * experts.size() >= 3 * static_cast<size_t>(catalog.experts());
  const uint64_t layer_bytes =
      catalog.expert_bytes(ahead_layer) * static_cast<uint64_t>(catalog.experts());
  return prompt ? std::max(kAheadBytes, layer_bytes) : kAheadBytes;
}

void ExpertStore::Impl::SubmitAhead() {
  if (!read_ahead || WaitsForReads()) return;
  bool submitted = false, complete = true, full = false;
  for (int i = 1; i <= catalog.layers() && !full; ++i) {
    const int ahead_layer = (layer + i) % catalog.layers();
    if (catalog.pieces(ahead_layer, 0).empty()) continue;
    if (cache.held(ahead_layer) == catalog.experts()) continue;
    complete = false;
    const uint64_t bytes_max = AheadBytesMax(ahead_layer);
    for (int expert = 0; expert < catalog.experts() && !full; ++expert) {
      const ExpertKey key = cache.KeyOf(ahead_layer, expert);
      if (cache.Find(key) != ExpertCache::kNoSlot) continue;
      full = ahead_bytes >= bytes_max;
      if (full) break;
      const std::optional<uint32_t> slot = cache.Take(key);
      FM_CHECK(slot.has_value());  // every expert has one
      fills[*slot] = {.index = kAhead};
      ahead_bytes += catalog.expert_bytes(ahead_layer);
      SubmitReads(*slot);
      submitted = true;
    }
  }
  if (submitted) reader->Flush();
  if (complete) read_ahead = false;
}

// Between requests, while something else is computed.
void ExpertStore::Impl::PollAhead() {
  if (!read_ahead) return;
  if (arriving > 0) Collect(/*wait=*/false);
  SubmitAhead();
}

// What was on its way by itself is now what the request waits for.
void ExpertStore::Impl::DemandAhead(uint32_t slot, int index) {
  Fill& fill = fills[slot];
  if (fill.index != kAhead || cache.resident(slot)) return;
  fill.index = index;
  ahead_bytes -= catalog.expert_bytes(layer);
  ++demanded;
}

void ExpertStore::Impl::AheadArrived(uint32_t slot) {
  const auto experts_of_layer = static_cast<ExpertKey>(catalog.experts());
  ahead_bytes -= catalog.expert_bytes(static_cast<int>(cache.key(slot) / experts_of_layer));
  if (!fills[slot].failed) {
    cache.Arrived(slot);
    cache.Unpin(slot);
    return;
  }
  // Whoever wants it reads it again and gets the error.
  cache.Drop(slot);
  read_ahead = false;
}

}  // namespace flashmoe
