#include "model/router.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace flashmoe {
namespace {

// The k largest of `probability` [experts], best first, and their shares of their sum.
void ChooseBest(const float* probability, int experts, int k, int32_t* chosen, float* weights) {
  BestExperts({probability, static_cast<size_t>(experts)}, {chosen, static_cast<size_t>(k)});
  float sum = 0.0f;
  for (int rank = 0; rank < k; ++rank) {
    weights[rank] = probability[chosen[rank]];
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
  if (c.tokens == 1) {
    std::copy_n(routing.logits.begin(), experts, routing.raw_logits.begin());
  }

  c.pool.ParallelFor(c.tokens, 8, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      float* probability = routing.logits.data() + t * experts;
      c.kernels.softmax(probability, experts);
      ChooseBest(probability, experts, k, routing.chosen.data() + t * k,
                 routing.weights.data() + t * k);
    }
  });
}

// NaN logits, from damaged weights, leave nothing to compare; the experts are distinct even then.
void BestExperts(std::span<const float> logits, std::span<int32_t> best) {
  size_t listed = 0;
  for (size_t e = 0; e < logits.size(); ++e) {
    if (listed == best.size() && !(logits[e] > logits[best[listed - 1]])) continue;
    size_t at = listed < best.size() ? listed++ : listed - 1;
    for (; at > 0 && logits[e] > logits[best[at - 1]]; --at) best[at] = best[at - 1];
    best[at] = static_cast<int32_t>(e);
  }
}

}  // namespace flashmoe
