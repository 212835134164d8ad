#include "bench/prediction/score.h"

#include <algorithm>

namespace flashmoe {

PredictionScore::PredictionScore(int layers, int experts, int experts_per_token, uint32_t slots,
                                 int predictors)
    : layers_(static_cast<size_t>(layers)),
      cache_(layers, experts, slots, experts_per_token,
             MakeCachePolicy(CachePolicyKind::kLru, {layers, experts, experts_per_token})),
      scores_(static_cast<size_t>(predictors) * layers_) {}

bool PredictionScore::Resident(int layer, int32_t expert) const {
  return cache_.Find(cache_.KeyOf(layer, expert)) != ExpertCache::kNoSlot;
}

void PredictionScore::Count(int layer, std::span<const int32_t> chosen,
                            std::span<const Guesses> guesses) {
  const auto misses = static_cast<uint64_t>(
      std::ranges::count_if(chosen, [&](int32_t expert) { return !Resident(layer, expert); }));
  for (size_t predictor = 0; predictor < guesses.size(); ++predictor) {
    LayerScore& score = scores_[predictor * layers_ + static_cast<size_t>(layer)];
    score.choices += chosen.size();
    score.misses += misses;
    for (int rank = 0; rank < guesses[predictor].count; ++rank) {
      const int32_t guess = guesses[predictor].ids[static_cast<size_t>(rank)];
      RankCounts& counts = score.ranks[static_cast<size_t>(rank)];
      const bool right = std::ranges::find(chosen, guess) != chosen.end();
      ++counts.guessed;
      counts.chosen += right ? 1 : 0;
      if (Resident(layer, guess)) continue;
      ++counts.issued;
      counts.useful += right ? 1 : 0;
    }
  }
  Serve(layer, chosen);
}

// As the store does: uses in order, hits pinned before a miss takes a slot.
void PredictionScore::Serve(int layer, std::span<const int32_t> chosen) {
  std::vector<uint32_t> slots;
  for (const int32_t expert : chosen) {
    cache_.Use(cache_.KeyOf(layer, expert));
    if (!Resident(layer, expert)) continue;
    slots.push_back(cache_.Find(cache_.KeyOf(layer, expert)));
    cache_.Pin(slots.back());
  }
  for (const int32_t expert : chosen) {
    if (Resident(layer, expert)) continue;
    slots.push_back(*cache_.Take(cache_.KeyOf(layer, expert)));
    cache_.Arrived(slots.back());
  }
  for (const uint32_t slot : slots) cache_.Unpin(slot);
}

}  // namespace flashmoe
