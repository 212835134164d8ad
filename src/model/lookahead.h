// Guessing which experts a layer will want before its router can speak, so that the disk need not
// wait for it.
//
// One token: the next layer's router, shown the residual stream as it is now, or a copy of it that
// has learned what will still be added. Many tokens want nearly all of a layer's experts: they are
// read ahead in order, and nothing is computed. Whether either pays is found out while running
// (experts/prefetch_guard.h).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "experts/prefetch_guard.h"
#include "experts/store.h"
#include "model/adaptive_router.h"
#include "model/layer_context.h"
#include "model/weights.h"

namespace flashmoe {

enum class Prefetch : uint8_t {
  kOff,
  kAuto,  // where it pays
  kOn,    // always
};

struct LookaheadOptions {
  Prefetch prefetch = Prefetch::kOff;
  bool learn = false;  // by copies of the routers, AdaptiveRouters::Bytes() of them
};

class Lookahead {
 public:
  // What is handed over must outlive this.
  Lookahead(const ModelConfig& config, std::span<const LayerWeights> layers,
            const KernelTable& kernels, ExpertStore& store, const LookaheadOptions& options);

  // Around a pass; at its beginning work.x holds the embedding.
  void BeginPass(const LayerContext& c);
  void EndPass(const LayerContext& c);

  // c.layer has chosen `wanted` different experts, and their reads are on their way or have ended.
  // Learns from its choice and tells the store what the next layer will probably want. Overwrites
  // work.mixed and work.routing.logits.
  void AfterRequest(const LayerContext& c, int64_t wanted);

  int64_t tokens_guessed() const { return tokens_guessed_; }  // of those that came one by one

 private:
  void GuessForOne(const LayerContext& c, int layer);
  void ReadAhead(const LayerContext& c, int64_t wanted);
  void ExpectAll(int layer);
  void PlainBest(const LayerContext& c, int layer, std::span<int32_t> best);

  const std::span<const LayerWeights> layers_;
  ExpertStore& store_;
  const Prefetch prefetch_;
  std::optional<AdaptiveRouters> routers_;

  // One token at a time.
  PrefetchGuard guard_;
  bool guessing_ = false;  // in this pass
  int64_t tokens_guessed_ = 0;
  double begin_s_ = 0;
  StoreStats begin_;
  std::vector<int32_t> best_;
  std::vector<ExpertGuess> guesses_;

  // Many tokens.
  WaitShare share_;
  int64_t all_from_tokens_;  // so many tokens have wanted nearly all experts of a layer
  bool ahead_ = false;       // the coming layer is being read ahead
  bool measured_ = false;    // the layer at work was not: its waiting is what there is to save
  uint32_t layers_seen_ = 0;
  double last_s_ = 0, last_waited_s_ = 0;  // at the last request
};

}  // namespace flashmoe
