#include "model/lookahead.h"

#include <algorithm>
#include <array>
#include <vector>

#include "experts/guess_judge.h"
#include "model/linear.h"

namespace flashmoe {
namespace {

constexpr int kRanks = kGuessKinds / 2;  // kinds of one token's guesses; the rest are by count
// Reads of guesses on their way at once. One token's are often wrong, so that a demanded read
// should not have to wait long; what many tokens want is nearly sure.
constexpr int kAtOnceForOne = 4;
constexpr int kAtOnceForMany = 64;

// The experts with the largest logits, best first, the lower index on a tie; NaN is never better.
void BestExperts(std::span<const float> logits, std::span<int32_t> best) {
  size_t listed = 0;
  for (size_t e = 0; e < logits.size(); ++e) {
    if (listed == best.size() && !(logits[e] > logits[best[listed - 1]])) continue;
    size_t at = listed < best.size() ? listed++ : listed - 1;
    for (; at > 0 && logits[e] > logits[best[at - 1]]; --at) best[at] = best[at - 1];
    best[at] = static_cast<int32_t>(e);
  }
}

// One token: beyond the k experts that it would choose, as many again, each rank a kind.
std::vector<ExpertGuess> RankedGuesses(std::span<const int32_t> best) {
  std::vector<ExpertGuess> guesses;
  for (size_t rank = 0; rank < best.size(); ++rank) {
    guesses.push_back({best[rank], std::min(static_cast<int>(rank), kRanks - 1)});
  }
  return guesses;
}

// Many tokens: what most of them would choose first; each count a kind.
std::vector<ExpertGuess> CountedGuesses(std::span<const int32_t> chosen, int experts) {
  std::vector<int> count(static_cast<size_t>(experts), 0);
  for (const int32_t expert : chosen) ++count[static_cast<size_t>(expert)];
  std::vector<ExpertGuess> guesses;
  for (int expert = 0; expert < experts; ++expert) {
    const int tokens = count[static_cast<size_t>(expert)];
    if (tokens > 0) guesses.push_back({expert, kRanks + std::min(tokens, kRanks) - 1});
  }
  std::stable_sort(guesses.begin(), guesses.end(),
                   [](const ExpertGuess& a, const ExpertGuess& b) { return a.kind > b.kind; });
  return guesses;
}

}  // namespace

void ExpectExperts(const LayerContext& c, int layer, const LayerWeights& w, ExpertStore& store) {
  if (!store.WantsGuesses(layer)) return;
  const int experts = c.config.experts;
  const int k = c.work.experts_per_token;
  const int ranks = c.tokens == 1 ? std::min(2 * k, experts) : k;

  NormRows(c, w.moe_norm, c.work.mixed.data());
  const std::array type = {w.router.type};
  const Activations& x =
      c.work.gathered.Set(c.kernels, c.pool, c.work.mixed.data(), c.tokens, c.config.hidden, type);
  const std::array projection = {Projection{w.router, c.work.routing.logits.data(), experts}};
  Project(c.kernels, c.pool, x, projection);

  std::vector<int32_t> best(static_cast<size_t>(c.tokens * ranks));
  c.pool.ParallelFor(c.tokens, 8, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      BestExperts({c.work.routing.logits.data() + t * experts, static_cast<size_t>(experts)},
                  {best.data() + t * ranks, static_cast<size_t>(ranks)});
    }
  });
  if (c.tokens == 1) {
    store.Expect(layer, RankedGuesses(best), kAtOnceForOne);
  } else {
    store.Expect(layer, CountedGuesses(best, experts), kAtOnceForMany);
  }
}

}  // namespace flashmoe
