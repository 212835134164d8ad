// Predictors that know only which experts were chosen before.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "bench/prediction/score.h"

namespace flashmoe {

// One layer's past. All guesses are about the layer's next choice.
class LayerHistory {
 public:
  explicit LayerHistory(int experts);

  // What the previous token chose, then what the one before it chose, and so on.
  Guesses Recent() const;
  // What was chosen most often.
  Guesses Frequent() const;
  // What went most often with the choices of the layer before.
  Guesses Paired(std::span<const int32_t> before) const;
  // What this token id chose when it last occurred, then as Recent().
  Guesses SameToken(int32_t token) const;

  // log of the estimated chance of each expert, after the choices of the layer before. [experts]
  void PairLogits(std::span<const int32_t> before, std::span<float> out) const;

  // `before` is empty for layer 0.
  void Learn(int32_t token, std::span<const int32_t> before, std::span<const int32_t> chosen);

 private:
  size_t Pair(int32_t before, size_t expert) const {
    return static_cast<size_t>(before) * experts_ + expert;
  }

  const size_t experts_;
  uint64_t tokens_ = 0;
  std::vector<int32_t> recent_;    // distinct, latest first
  std::vector<uint32_t> uses_;     // [experts]
  std::vector<uint32_t> pairs_;    // [experts of the layer before, experts]
  std::vector<uint32_t> befores_;  // [experts of the layer before] how often it was chosen
  std::unordered_map<int32_t, std::vector<int32_t>> last_of_;  // token id -> its last choice
};

// The experts with the highest scores.
Guesses BestOf(std::span<const float> scores);

}  // namespace flashmoe
