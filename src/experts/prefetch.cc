// Reading what will probably be asked for while the disk has nothing else to do.
#include "base/check.h"
#include "base/clock.h"
#include "experts/store_impl.h"

namespace flashmoe {
bool ExpertStore::Impl::WantsGuesses(int wanted_layer) const {
  return prefetch && cache.held(wanted_layer) < catalog.experts() &&
         !catalog.pieces(wanted_layer, 0).empty();
}

void ExpertStore::Impl::Expect(int wanted_layer, std::span<const ExpertGuess> guesses,
                               int at_once) {
  ReleaseGuesses();
  if (!prefetch) return;
  expected_layer = wanted_layer;
  guesses_at_once = static_cast<size_t>(at_once);
  for (const ExpertGuess& guess : guesses) {
    FM_CHECK(guess.expert >= 0 && guess.expert < catalog.experts());
    FM_CHECK(guess.kind >= 0 && guess.kind < kGuessKinds);
    const ExpertKey key = cache.KeyOf(wanted_layer, guess.expert);
    const uint32_t slot = cache.Find(key);
    expected.push_back({key, guess.kind, guess.sure, slot == ExpertCache::kNoSlot});
    KeepGuessed(slot, guess);
  }
  SubmitGuesses();
}

// Lest one guess should push out another.
void ExpertStore::Impl::KeepGuessed(uint32_t slot, const ExpertGuess& guess) {
  if (slot == ExpertCache::kNoSlot || !cache.resident(slot) ||
      !judge.Pays(guess.kind, guess.sure)) {
    return;
  }
  if (guessed.size() >= guesses_held_max()) return;
  cache.Pin(slot);
  guessed.push_back(slot);
}

// Called with `experts` set and `seen` marking them.
void ExpertStore::Impl::Judge() {
  if (expected_layer != layer) return;
  for (const Expected& guess : expected) {
    if (!guess.absent) continue;
    const int expert = static_cast<int>(guess.key - cache.KeyOf(layer, 0));
    judge.Note(guess.kind, seen[static_cast<size_t>(expert)] == request_number);
  }
}

void ExpertStore::Impl::SubmitGuesses() {
  if (WaitsForReads()) return;  // what is demanded goes first
  bool submitted = false;
  for (; next_expected < expected.size(); ++next_expected) {
    const Expected& guess = expected[next_expected];
    if (!judge.Pays(guess.kind, guess.sure) || cache.Find(guess.key) != ExpertCache::kNoSlot) {
      continue;
    }
    if (static_cast<size_t>(arriving) >= guesses_at_once) break;
    if (guessed.size() >= guesses_held_max()) break;
    const std::optional<uint32_t> slot = cache.Take(guess.key);
    if (!slot.has_value()) break;
    fills[*slot] = {.index = kGuessed};
    guessed.push_back(*slot);
    SubmitReads(*slot);
    ++stats.guesses_read;
    stats.bytes_guessed += catalog.expert_bytes(expected_layer);
    submitted = true;
  }
  if (submitted) reader->Flush();
}

void ExpertStore::Impl::Poll() {
  if (expected_layer < 0) return;
  if (arriving > 0) Collect(/*wait=*/false);
  SubmitGuesses();
}

// Of a guess that has been asked for, the request now holds the pin if it is on its way.
void ExpertStore::Impl::ReleaseGuesses() {
  for (const uint32_t slot : guessed) {
    if (cache.resident(slot)) {
      cache.Unpin(slot);
    } else {
      fills[slot].released = true;
    }
  }
  guessed.clear();
  expected.clear();
  next_expected = 0;
  expected_layer = -1;
}

void ExpertStore::Impl::UseGuess(uint32_t slot, int index) {
  Fill& fill = fills[slot];
  if (fill.index == kLeft && !cache.resident(slot)) {
    fill.index = index;
    ++demanded;
  }
  if (fill.index != kGuessed) return;
  const bool in_time = cache.resident(slot);
  fill.index = index;
  ++(in_time ? stats.guesses_in_time : stats.guesses_late);
  stats.bytes_guessed_used += catalog.expert_bytes(layer);
  if (!in_time) ++demanded;
}

void ExpertStore::Impl::GuessArrived(uint32_t slot) {
  const Fill& fill = fills[slot];
  if (fill.failed) {  // no error yet: a demand for it reads again
    std::erase(guessed, slot);
    cache.Drop(slot);
    return;
  }
  cache.Arrived(slot);
  if (fill.released) cache.Unpin(slot);
}

}  // namespace flashmoe
