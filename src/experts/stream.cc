// Serving one request: resident experts first, the others as they arrive.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "experts/store.h"
#include "experts/store_impl.h"

namespace flashmoe {

Status ExpertStore::Impl::CheckRequest(int wanted_layer, std::span<const int> wanted) {
  if (wanted_layer < 0 || wanted_layer >= catalog.layers()) {
    return InvalidInput(fmt::format("there is no layer {}", wanted_layer));
  }
  ++request_number;
  for (const int expert : wanted) {
    if (expert < 0 || expert >= catalog.experts() || catalog.pieces(wanted_layer, expert).empty()) {
      return InvalidInput(fmt::format("layer {} has no expert {}", wanted_layer, expert));
    }
    uint64_t& number = seen[static_cast<size_t>(expert)];
    if (number == request_number) {
      return InvalidInput(
          fmt::format("expert {} of layer {} is wanted twice", expert, wanted_layer));
    }
    number = request_number;
  }
  return {};
}

void ExpertStore::Impl::NoteUses(std::span<const int32_t> chosen) {
  if (chosen.empty()) {
    cache.BeginToken(layer);
    for (const int expert : experts) cache.Use(cache.KeyOf(layer, expert));
    return;
  }
  for (size_t i = 0; i < chosen.size(); ++i) {
    FM_CHECK(chosen[i] >= 0 && chosen[i] < catalog.experts());
    if (i % static_cast<size_t>(experts_per_token) == 0) cache.BeginToken(layer);
    cache.Use(cache.KeyOf(layer, chosen[i]));
  }
}

Status ExpertStore::Impl::Begin(int wanted_layer, std::span<const int> wanted,
                                std::span<const int32_t> chosen,
                                const std::function<bool()>* stop_asked) {
  FM_CHECK(!streaming);
  FM_RETURN_IF_ERROR(CheckRequest(wanted_layer, wanted));
  streaming = true;
  stop = stop_asked;
  silent_s = 0;
  layer = wanted_layer;
  experts.assign(wanted.begin(), wanted.end());
  misses.clear();
  next_miss = 0;
  ready.clear();
  next_ready = 0;
  error.reset();

  // Uses are noted in the order of the request, so that what stays in memory does not hang on the
  // order of arrival. All hits are pinned before the first miss takes a slot.
  Judge();
  NoteUses(chosen);
  for (int index = 0; index < static_cast<int>(experts.size()); ++index) {
    const uint32_t slot = cache.Find(cache.KeyOf(layer, experts[static_cast<size_t>(index)]));
    if (slot == ExpertCache::kNoSlot) {
      misses.push_back(index);
      continue;
    }
    UseGuess(slot, index);
    if (!cache.resident(slot)) continue;
    cache.Pin(slot);
    ready.push_back({index, slot});
  }
  stats.requests += experts.size();
  stats.hits += ready.size();
  ReleaseGuesses();
  SubmitMisses();
  return {};
}

// Starts reads in the order of the request, as far as slots can be had.
void ExpertStore::Impl::SubmitMisses() {
  if (next_miss == misses.size()) return;
  while (next_miss < misses.size()) {
    const int index = misses[next_miss];
    const ExpertKey key = cache.KeyOf(layer, experts[static_cast<size_t>(index)]);
    const std::optional<uint32_t> slot = cache.Take(key);
    if (!slot.has_value()) break;
    fills[*slot] = {.index = index};
    ++demanded;
    SubmitReads(*slot);
    ++next_miss;
  }
  reader->Flush();
}

std::span<const Extent> ExpertStore::Impl::PiecesIn(uint32_t slot) const {
  const ExpertKey key = cache.key(slot);
  const auto experts_of_layer = static_cast<ExpertKey>(catalog.experts());
  return catalog.pieces(static_cast<int>(key / experts_of_layer),
                        static_cast<int>(key % experts_of_layer));
}

void ExpertStore::Impl::SubmitReads(uint32_t slot) {
  Fill& fill = fills[slot];
  if (arriving++ == 0) reading_since_s = NowSeconds();
  std::byte* dest = memory.data() + slot * slot_bytes;
  for (const Extent& piece : PiecesIn(slot)) {
    reader->Submit({.file = piece.file,
                    .offset = piece.offset,
                    .bytes = piece.bytes,
                    .dest = dest,
                    .tag = uint64_t{slot} << 32 | static_cast<uint32_t>(fill.pieces_left)});
    dest += SlotBytes(piece.offset, piece.bytes);
    ++fill.pieces_left;
  }
}

void ExpertStore::Impl::Collect(bool wait) {
  completions.clear();
  const double before_s = wait ? NowSeconds() : 0;
  reader->Reap(wait, completions);
  if (wait) {
    const double waited_s = NowSeconds() - before_s;
    stats.wait_s += waited_s;
    silent_s += std::min(waited_s, 2 * kReapSeconds);  // more is not the disk's: a stopped process
  }
  if (!completions.empty()) silent_s = 0;
  for (ReadCompletion& completion : completions) Complete(completion);
}

void ExpertStore::Impl::Complete(ReadCompletion& completion) {
  const auto slot = static_cast<uint32_t>(completion.tag >> 32);
  Fill& fill = fills[slot];
  if (completion.status.has_value()) {
    stats.bytes_read += PiecesIn(slot)[static_cast<uint32_t>(completion.tag)].bytes;
  } else {
    fill.failed = true;
    if (fill.index >= 0 && !error.has_value()) {
      const int expert = experts[static_cast<size_t>(fill.index)];
      error = std::move(completion.status).error();
      error->what = fmt::format("expert {} of layer {}: {}", expert, layer, error->what);
    }
  }
  if (--fill.pieces_left > 0) return;
  if (--arriving == 0) stats.read_s += NowSeconds() - reading_since_s;
  if (fill.index < 0) {
    GuessArrived(slot);
  } else {
    DemandArrived(slot);
  }
}

void ExpertStore::Impl::DemandArrived(uint32_t slot) {
  const Fill& fill = fills[slot];
  --demanded;
  if (!fill.failed) {
    cache.Arrived(slot);
    ready.push_back({fill.index, slot});
    return;
  }
  cache.Drop(slot);
  // A part that failed while the expert was only a guess counts for nothing: it is read again.
  if (!error.has_value()) misses.push_back(fill.index);
}

void ExpertStore::Impl::LetGo() {
  for (const uint32_t slot : slots_out) cache.Unpin(slot);
  slots_out.clear();
}

// A disk that answers need not be asked: what it has begun ends soon.
bool ExpertStore::Impl::Stops() const { return silent_s > 0 && stop != nullptr && (*stop)(); }

bool ExpertStore::Impl::GivesUp() const {
  return (silent_s > 0 && silent_s >= silence_max_s) || Stops();
}

void ExpertStore::Impl::NoteSilence() {
  if (Stops()) {
    error = Error{ErrorCode::kCancelled, "the computation was interrupted", {}, {}};
    return;
  }
  // Of the request, or else of guesses that hold the slots that it needs.
  const auto arrives = [&](int least_index) {
    return std::ranges::find_if(
        fills, [=](const Fill& fill) { return fill.pieces_left > 0 && fill.index >= least_index; });
  };
  const auto waiting = demanded > 0 ? arrives(0) : arrives(kLeft);
  FM_CHECK(waiting != fills.end());
  const auto slot = static_cast<uint32_t>(waiting - fills.begin());
  error = Error{
      ErrorCode::kIo,
      fmt::format("experts of layer {}: the disk has not answered for {:.0f} s", layer, silent_s),
      PiecesIn(slot).front().file->path(), "see whether the disk is well (dmesg), then ask again"};
}

// They end as guesses that have expired do.
void ExpertStore::Impl::LeaveReads() {
  for (Fill& fill : fills) {
    if (fill.index < 0 || fill.pieces_left == 0) continue;
    fill.index = kLeft;
    fill.released = true;
    --demanded;
  }
  FM_CHECK(demanded == 0);
}

// Waits for what is in flight and unpins everything; what arrived well stays.
void ExpertStore::Impl::Drain() {
  LetGo();
  next_miss = misses.size();
  while (demanded > 0 && !GivesUp()) Collect(/*wait=*/true);
  if (demanded > 0) LeaveReads();
  next_miss = misses.size();
  for (; next_ready < ready.size(); ++next_ready) cache.Unpin(ready[next_ready].slot);
}

std::span<const ResidentExpert> ExpertStore::Impl::HandOut(size_t count) {
  handed_out.clear();
  handed_out_pieces.clear();
  for (; count > 0; --count) {
    const Ready next = ready[next_ready++];
    slots_out.push_back(next.slot);
    handed_out.push_back({next.index, experts[static_cast<size_t>(next.index)], {}});
    const std::byte* block = memory.data() + next.slot * slot_bytes;
    for (const Extent& piece : catalog.pieces(layer, handed_out.back().expert)) {
      handed_out_pieces.push_back(block + piece.offset % kBlockBytes);
      block += SlotBytes(piece.offset, piece.bytes);
    }
  }
  // All experts of a layer have the same number of pieces.
  const size_t pieces = handed_out_pieces.size() / handed_out.size();
  for (size_t i = 0; i < handed_out.size(); ++i) {
    handed_out[i].pieces = std::span(handed_out_pieces).subspan(i * pieces, pieces);
  }
  return handed_out;
}

Result<std::span<const ResidentExpert>> ExpertStore::Impl::Next(size_t most, bool wait) {
  LetGo();
  while (!error.has_value()) {
    SubmitMisses();
    if (arriving > 0) Collect(/*wait=*/false);
    if (error.has_value()) break;
    if (next_ready < ready.size()) {
      SubmitGuesses();
      return HandOut(std::min(most, ready.size() - next_ready));
    }
    if (!wait || !WaitsForReads()) {
      return std::span<const ResidentExpert>();
    }
    // What is not on its way yet waits for a slot. Nothing is pinned now but guesses on their way,
    // and without those each layer can get a slot: the others' floors leave it its own, which are
    // free or hold its experts (MinSlots).
    if (arriving == 0) SubmitMisses();  // the last guesses have just made room
    FM_CHECK(arriving > 0);
    Collect(/*wait=*/true);
    if (GivesUp()) NoteSilence();
  }
  Drain();
  Error first = std::move(*error);
  error.reset();
  return std::unexpected(std::move(first));
}

void ExpertStore::Impl::End() {
  Drain();
  streaming = false;
  SubmitGuesses();
}

ExpertStream::ExpertStream(ExpertStream&& other) noexcept
    : store_(std::exchange(other.store_, nullptr)) {}

ExpertStream::~ExpertStream() {
  if (store_ != nullptr) store_->impl_->End();
}

Result<std::optional<ResidentExpert>> ExpertStream::Next() {
  FM_CHECK(store_ != nullptr);
  FM_ASSIGN_OR_RETURN(const auto batch, store_->impl_->Next(1, /*wait=*/true));
  if (batch.empty()) return std::nullopt;
  return batch.front();
}

bool ExpertStream::Waits() const {
  FM_CHECK(store_ != nullptr);
  return store_->impl_->WaitsForReads();
}

Result<std::span<const ResidentExpert>> ExpertStream::NextBatch(bool wait, size_t most) {
  FM_CHECK(store_ != nullptr);
  return store_->impl_->Next(most, wait);
}

}  // namespace flashmoe
