#include "model/lookahead.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/clock.h"
#include "experts/guess_judge.h"
#include "model/linear.h"
#include "model/router.h"

namespace flashmoe {
namespace {

// Kinds of guesses: one token's by rank; those for the first layer, which are made from the
// embedding alone, apart; many tokens'.
constexpr int kRanks = 15;
constexpr int kFirstLayerKind = kRanks;
constexpr int kManyKind = 2 * kRanks;
static_assert(kManyKind < kGuessKinds);

// Reads of guesses on their way at once. One token's are often wrong, so that a demanded read
// should not have to wait long: of 1, 2, 3, 4 and 8, two were best. What many tokens want is nearly
// sure.
constexpr int kAtOnceForOne = 2;
constexpr int kAtOnceForMany = 64;

// Many tokens want nearly all experts from this share on: then at most so few are read for nothing.
constexpr double kNearlyAll = 0.95;
// One in so many layers is not read ahead, to see what there is to save.
constexpr uint32_t kProbe = 8;

// Experts that were not in memory by themselves.
uint64_t Missing(const StoreStats& stats) {
  return stats.requests - stats.hits + stats.guesses_in_time;
}

}  // namespace

Lookahead::Lookahead(const ModelConfig& config, std::span<const LayerWeights> layers,
                     const KernelTable& kernels, ExpertStore& store,
                     const LookaheadOptions& options)
    : layers_(layers),
      store_(store),
      prefetch_(options.prefetch),
      all_from_tokens_(std::numeric_limits<int64_t>::max()) {
  if (!options.learn) return;
  // Without memory for copies the routers themselves guess.
  auto copies = AdaptiveRouters::Create(config, layers, kernels);
  if (copies.has_value()) routers_ = std::move(*copies);
}

void Lookahead::BeginPass(const LayerContext& c) {
  if (prefetch_ == Prefetch::kOff) return;
  begin_s_ = NowSeconds();
  begin_ = store_.stats();
  guessing_ = c.tokens == 1 && (prefetch_ == Prefetch::kOn || guard_.Guesses());
  if (guessing_) ++tokens_guessed_;
  measured_ = false;
  ahead_ = c.tokens >= all_from_tokens_ && (prefetch_ == Prefetch::kOn || share_.worth_saving());
  if (ahead_) ExpectAll(0);
  // The router itself was never shown an embedding; a copy learns to read it.
  if (guessing_ && routers_) GuessForOne(c, 0);
}

void Lookahead::EndPass(const LayerContext& c) {
  if (prefetch_ != Prefetch::kAuto || c.tokens > 1) return;
  const StoreStats& end = store_.stats();
  guard_.Note({.seconds = NowSeconds() - begin_s_,
               .waited_s = end.wait_s - begin_.wait_s,
               .missing = static_cast<double>(Missing(end) - Missing(begin_))});
}

void Lookahead::AfterRequest(const LayerContext& c, int64_t wanted) {
  if (prefetch_ == Prefetch::kOff) return;
  if (c.tokens > 1) return ReadAhead(c, wanted);
  if (!guessing_) return;
  const auto chosen = std::span(c.work.routing.chosen).first(size_t(c.work.experts_per_token));
  if (routers_) routers_->Learn(c.layer, c.work.routing.raw_logits, chosen);
  if (c.layer + 1 < c.config.layers) GuessForOne(c, c.layer + 1);
}

// Beyond the k experts that the token would choose, as many again: the judge of kinds says how many
// of them are read.
void Lookahead::GuessForOne(const LayerContext& c, int layer) {
  if (!store_.WantsGuesses(layer)) return;
  best_.resize(static_cast<size_t>(std::min(2 * c.work.experts_per_token, c.config.experts)));
  if (routers_) {
    routers_->Predict(c.pool, layer, std::span(c.work.x).first(size_t(c.config.hidden)), best_);
  } else {
    PlainBest(c, layer, best_);
  }
  guesses_.clear();
  for (size_t rank = 0; rank < best_.size(); ++rank) {
    const int kind = std::min(static_cast<int>(rank), kRanks - 1);
    guesses_.push_back({best_[rank], layer == 0 ? kFirstLayerKind + kind : kind});
  }
  store_.Expect(layer, guesses_, kAtOnceForOne);
}

void Lookahead::PlainBest(const LayerContext& c, int layer, std::span<int32_t> best) {
  const LayerWeights& w = layers_[static_cast<size_t>(layer)];
  NormRows(c, w.moe_norm, c.work.mixed.data());
  const Activations x{.n = 1, .cols = c.config.hidden, .f32 = c.work.mixed.data()};
  const int experts = c.config.experts;
  const std::array projection = {Projection{w.router, c.work.routing.logits.data(), experts}};
  Project(c.kernels, c.pool, x, projection);
  BestExperts(std::span(c.work.routing.logits).first(static_cast<size_t>(experts)), best);
}

void Lookahead::ReadAhead(const LayerContext& c, int64_t wanted) {
  // The time since the last request was spent on the layer before, of which that request was.
  const double now_s = NowSeconds(), waited_s = store_.stats().wait_s;
  if (measured_) share_.Note(now_s - last_s_, waited_s - last_waited_s_);
  last_s_ = now_s;
  last_waited_s_ = waited_s;
  measured_ = !ahead_;
  ahead_ = false;
  if (static_cast<double>(wanted) < kNearlyAll * c.config.experts) return;
  all_from_tokens_ = std::min(all_from_tokens_, c.tokens);
  if (c.layer + 1 == c.config.layers) return;
  ahead_ = prefetch_ == Prefetch::kOn || (share_.worth_saving() && ++layers_seen_ % kProbe != 0);
  if (ahead_) ExpectAll(c.layer + 1);
}

void Lookahead::ExpectAll(int layer) {
  if (!store_.WantsGuesses(layer)) return;
  guesses_.clear();
  for (int expert = 0; expert < store_.catalog().experts(); ++expert) {
    guesses_.push_back({expert, kManyKind, /*sure=*/true});
  }
  store_.Expect(layer, guesses_, kAtOnceForMany);
}

}  // namespace flashmoe
