// How good guesses are: counted rank by rank, over all choices and over those that a cache misses.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "experts/cache.h"

namespace flashmoe {

// Guesses a predictor makes for one layer of one token, at most.
inline constexpr int kGuesses = 12;

// Best first; count 0 where the predictor knows nothing yet.
struct Guesses {
  std::array<int32_t, kGuesses> ids = {};
  int count = 0;
};

struct RankCounts {
  uint64_t guessed = 0;  // guesses of this rank
  uint64_t chosen = 0;   // of these, that the layer then chose
  uint64_t issued = 0;   // guesses that are not in the cache: what a prefetcher would read
  uint64_t useful = 0;   // of these, that the layer then chose
};

struct LayerScore {
  uint64_t choices = 0;  // experts that the tokens chose
  uint64_t misses = 0;   // of these, not in the cache
  std::array<RankCounts, kGuesses> ranks;
};

// Takes in tokens in the order of decoding, each with all of its layers in order.
class PredictionScore {
 public:
  // `slots`: of the cache (least recently used with a floor for each layer), which sees no
  // prefetching itself.
  PredictionScore(int layers, int experts, int experts_per_token, uint32_t slots, int predictors);

  // `guesses`: of each predictor.
  void Count(int layer, std::span<const int32_t> chosen, std::span<const Guesses> guesses);

  const LayerScore& at(int predictor, int layer) const {
    return scores_[static_cast<size_t>(predictor) * layers_ + static_cast<size_t>(layer)];
  }

 private:
  bool Resident(int layer, int32_t expert) const;
  void Serve(int layer, std::span<const int32_t> chosen);

  const size_t layers_;
  ExpertCache cache_;
  std::vector<LayerScore> scores_;  // [predictors, layers]
};

}  // namespace flashmoe
