// Copies of the routers that learn to look ahead. A layer's router, shown the residual stream
// before the layer has been reached, misses what the layers in between still add. Much of that is
// regular, so a copy that is corrected after every token soon knows most of it
// (docs/decisions/0008-learning-routers.md).
//
// Normalised least mean squares towards the logits that the router then gives, on the rows that
// matter: the experts chosen and those guessed instead. The copies are bfloat16, rounded by chance
// after a correction: rounded to the nearest, small corrections would all be lost.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/memory.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "model/config.h"
#include "model/weights.h"

namespace flashmoe {

// One token at a time, one thread. Only guesses come out of it, so it cannot change what a model
// computes.
class AdaptiveRouters {
 public:
  // `layers`: with norms and routers; the norms are kept by address and must outlive this. Fails if
  // the system refuses the memory.
  static Result<AdaptiveRouters> Create(const ModelConfig& config,
                                        std::span<const LayerWeights> layers,
                                        const KernelTable& kernels);
  // What the copies take: layers * experts * H halves and a little.
  static uint64_t Bytes(const ModelConfig& config);

  // x [H]: the residual stream now. best: the experts that `layer` will choose, best first, the
  // lower index on a tie. REQUIRES: 1 <= best.size() <= experts.
  void Predict(ThreadPool& pool, int layer, std::span<const float> x, std::span<int32_t> best);

  // What the layer's router then gave for that token: logits [experts], up to a constant, and its
  // choice. Does nothing without a prediction to learn from, or with logits that are not finite.
  void Learn(int layer, std::span<const float> logits, std::span<const int32_t> chosen);

 private:
  struct Layer {
    const float* norm = nullptr;
    uint16_t* router = nullptr;  // [experts, H] bfloat16
    std::vector<float> input;    // [H] of the last prediction; empty: none
    std::vector<float> logits;   // [experts]
    std::vector<int32_t> best;   // guesses to correct
  };

  AdaptiveRouters(const ModelConfig& config, const KernelTable& kernels, Memory memory);

  Matrix View(const Layer& layer) const;
  // row += factor * input
  void Correct(Layer& layer, int32_t row, float factor);

  const KernelTable* kernels_;
  int64_t hidden_, experts_;
  size_t corrected_;  // guesses that are corrected
  float eps_;
  uint32_t chance_ = 0;  // of the next rounding
  Memory memory_;  // of all copies: together they lie in huge pages, which are read twice as fast
  std::vector<Layer> layers_;
};

}  // namespace flashmoe
