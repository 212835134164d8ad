#include "model/router.h"

#include <array>
#include <cmath>
#include <limits>

namespace flashmoe {
namespace {

// Picks the k largest of `probability` [experts], best first. Each is struck out once taken.
void ChooseBest(float* probability, int experts, int k, int32_t* chosen, float* weights) {
  float sum = 0.0f;
  for (int rank = 0; rank < k; ++rank) {
    int best = -1;
    float highest = -1.0f;
    for (int e = 0; e < experts; ++e) {
      if (probability[e] > highest) {
        highest = probability[e];
        best = e;
      }
    }
    // NaN logits, from damaged weights, leave nothing to compare: any distinct expert will do.
    for (int e = 0; best < 0; ++e) {
      if (!(probability[e] < 0.0f)) best = e;
    }
    weights[rank] = probability[best];
    probability[best] = -std::numeric_limits<float>::infinity();
    chosen[rank] = best;
    sum += weights[rank];
  }
  for (int rank = 0; rank < k; ++rank) weights[rank] /= sum;
}

}  // namespace

void Route(const LayerContext& c, const LayerWeights& w) {
  const int experts = c.config.experts;
  const int k = c.work.experts_per_token;
  Routing& routing = c.work.routing;
  const std::array type = {w.router.type};
  const Activations& x =
      c.work.input.Set(c.kernels, c.pool, c.work.normed.data(), c.tokens, c.config.hidden, type);
  const std::array projection = {Projection{w.router, routing.logits.data(), experts}};
  Project(c.kernels, c.pool, x, projection);

  c.pool.ParallelFor(c.tokens, 8, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      float* probability = routing.logits.data() + t * experts;
      c.kernels.softmax(probability, experts);
      ChooseBest(probability, experts, k, routing.chosen.data() + t * k,
                 routing.weights.data() + t * k);
    }
  });
}

}  // namespace flashmoe
