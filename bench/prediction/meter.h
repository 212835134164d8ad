// Watches forward passes and lets every predictor guess each layer's experts before they are
// chosen.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "bench/prediction/history.h"
#include "bench/prediction/score.h"
#include "model/adaptive_router.h"
#include "model/linear.h"
#include "model/model.h"

namespace flashmoe {

// In the words of layer L + 1, whose experts are guessed while layer L is at work. Layer 0 is
// guessed from the embedding (kLayer, kLayerLearned) or from history.
enum Predictor : int {
  kNormed,        // its router on the normed input of L's experts
  kMixer,         // its norm and router on x after L's mixer
  kShared,        // the same, L's shared expert added
  kLayer,         // on x after all of L
  kAhead,         // on x before L's mixer: a layer earlier
  kMixerLearned,  // these four by AdaptiveRouters
  kSharedLearned,
  kLayerLearned,
  kAheadLearned,
  kSharedBias,   // kShared, and to the logits the mean of what they lacked so far
  kSharedPairs,  // kShared, and half of the logits of kPairs
  kPairs,        // what went with L's choice before
  kSameToken,    // what the same token chose there when it last occurred
  kPrevious,     // what the previous token chose there
  kFrequent,     // what is chosen there most often
  kPredictors
};
inline constexpr std::array<std::string_view, kPredictors> kPredictorNames = {
    "normed",        "mixer",          "shared",        "layer",          "ahead",
    "mixer learned", "shared learned", "layer learned", "ahead learned",  "shared+bias",
    "shared+pairs",  "pairs",          "same token",    "previous token", "frequent"};

class PredictionMeter final : public ForwardObserver {
 public:
  // learning: kCopies of the routers.
  PredictionMeter(Model& model, uint32_t slots, std::vector<AdaptiveRouters> learning);
  static constexpr int kCopies = 4;

  // Announces the tokens of the coming passes, from position 0.
  void BeginSequence(std::span<const int32_t> tokens);

  void OnEmbedding(std::span<const float> x) override;
  void OnMixer(int layer, std::span<const float> mixed) override;
  void OnRouting(int layer, std::span<const int32_t> chosen,
                 std::span<const float> weights) override;
  void OnLayer(int layer, std::span<const float> x) override;
  void OnFinalNorm(std::span<const float> x) override;

  const PredictionScore& score() const { return score_; }

 private:
  // What the layer before has left behind for guesses about this one. [tokens, H] each.
  struct Sources {
    std::vector<float> before, normed, mixer, shared;
  };

  int64_t tokens() const { return static_cast<int64_t>(x_.size()) / hidden_; }
  std::span<const float> Row(const std::vector<float>& rows, int64_t token) const {
    return std::span(rows).subspan(static_cast<size_t>(token * hidden_),
                                   static_cast<size_t>(hidden_));
  }
  std::span<const int32_t> Choice(int layer, int64_t token) const {
    return std::span(chosen_[static_cast<size_t>(layer)])
        .subspan(static_cast<size_t>(token * k_), static_cast<size_t>(k_));
  }
  Guesses& At(int64_t token, int layer, int predictor) {
    return guesses_[static_cast<size_t>((token * layers_ + layer) * kPredictors + predictor)];
  }

  // The layer's router on an input that it norms first, or on one that is normed.
  std::vector<float> Logits(int layer, std::span<const float> x) const;
  std::vector<float> LogitsOfNormed(int layer, std::span<const float> normed) const;
  // Guesses about one token of the pass; each learns from it afterwards.
  void GuessByRouter(int layer, int64_t token);
  void GuessByLearning(int layer, int64_t token, std::span<const float> wanted);
  void GuessByHistory(int layer, int64_t token, std::span<const float> shared,
                      std::span<const float> wanted);
  void LeaveSources(const LayerWeights& w);
  void AddSharedExpert(const LayerWeights& w);

  Model& model_;
  const KernelTable& kernels_;
  const int64_t hidden_, experts_, k_;
  const int layers_;
  ThreadPool pool_{1};
  ActivationBuffer input_, inner_;
  PredictionScore score_;
  std::vector<LayerHistory> history_;
  std::vector<std::vector<float>> bias_;   // [layers][experts]
  std::vector<AdaptiveRouters> learning_;  // of kMixerLearned and the three that follow

  std::vector<int32_t> text_;
  size_t position_ = 0;         // of the pass
  std::vector<float> x_, mid_;  // [tokens, H] before the mixer and after it
  Sources last_;
  std::vector<std::vector<int32_t>> chosen_;  // [layers][tokens, k]
  std::vector<Guesses> guesses_;              // [tokens, layers, predictors]
};

}  // namespace flashmoe
