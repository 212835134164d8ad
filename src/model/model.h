// A loaded model: tokens in, logits out. Owns the dense weights, the expert store and the scratch
// memory; the sequence's state is the caller's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "experts/memory_watch.h"
#include "experts/store.h"
#include "kernels/kernels.h"
#include "model/config.h"
#include "model/lookahead.h"
#include "model/sequence_part.h"
#include "model/step_times.h"
#include "model/weights.h"
#include "model/workspace.h"
#include "state/sequence_state.h"

namespace flashmoe {

// Looks into a forward pass; for tests and traces. All spans are valid during the call only.
class ForwardObserver {
 public:
  virtual ~ForwardObserver() = default;
  // [tokens, H] each. `layer` 0 .. layers - 1; OnEmbedding comes first, OnFinalNorm last.
  virtual void OnEmbedding(std::span<const float>) {}
  virtual void OnMixer(int /*layer*/, std::span<const float>) {}
  virtual void OnExperts(int /*layer*/, std::span<const float>) {}
  virtual void OnLayer(int /*layer*/, std::span<const float>) {}
  virtual void OnFinalNorm(std::span<const float>) {}
  // [tokens, experts_per_token], best first.
  virtual void OnRouting(int /*layer*/, std::span<const int32_t> /*chosen*/,
                         std::span<const float> /*weights*/) {}
};

struct ModelOptions {
  const KernelTable* kernels = nullptr;
  int threads = 1;
  int64_t chunk_tokens = 64;  // of a prompt at a time
  int sequences = 1;          // in one pass; beyond one, each may have a token besides the chunk
  int64_t context = 0;        // most positions of a sequence
  int experts_per_token = 0;
  KvType kv_type = KvType::kF16;
  LookaheadOptions lookahead;
  const CancelFlag* cancel = nullptr;  // looked at before every layer; may be null
  MemoryWatchOptions memory;
};

// Used by one thread at a time; it spreads the work over a pool of its own.
class Model {
 public:
  Model(ModelConfig config, Weights weights, std::unique_ptr<ExpertStore> store,
        const ModelOptions& options);

  // Takes in tokens of several sequences, each at its state's position, and advances the states;
  // each yields the same bits as alone. Rows of the pass are the slices' tokens, one slice after
  // the other. REQUIRES: 1 .. tokens_max() tokens in all, no empty slice, different states, ids
  // below vocab_rows, room in the states. Fails when the disk does or when cancelled; the states
  // then hold a part of the tokens' traces and must be reset or restored.
  // `cancelled` is asked before every layer, and while a disk is silent, besides
  // ModelOptions::cancel.
  Status Forward(std::span<const PassSlice> slices, ForwardObserver* observer = nullptr,
                 const std::function<bool()>& cancelled = {});
  Status Forward(std::span<const int32_t> tokens, SequenceState& state,
                 ForwardObserver* observer = nullptr) {
    const PassSlice slice{tokens, &state};
    return Forward({&slice, 1}, observer);
  }

  // Logits of some rows of the last pass, at most tokens_max() of them. out: [rows, vocab_rows].
  // They share the reading of the head.
  void Logits(std::span<const int64_t> rows, std::span<float> out);
  void Logits(int64_t row, std::span<float> out) { Logits({&row, 1}, out); }

  // Gives memory back to the system if others need it. Forward() does so, too; this is for the time
  // between passes.
  void LookAtMemory() { memory_watch_.Look(*store_); }

  int64_t tokens_max() const { return work_.tokens_max; }  // of one pass

  // Most tokens of a pass.
  static int64_t PassTokens(int64_t chunk_tokens, int sequences) {
    return chunk_tokens + (sequences > 1 ? sequences : 0);
  }

  // The shape of a sequence's state.
  static StateShape Shape(const ModelConfig& config, int64_t context, KvType kv_type);

  const ModelConfig& config() const { return config_; }
  const ModelOptions& options() const { return options_; }
  const Weights& weights() const { return weights_; }
  ExpertStore& store() { return *store_; }
  StepClock& clock() { return clock_; }
  const Lookahead& lookahead() const { return lookahead_; }

 private:
  Status RunLayer(LayerContext& context, ForwardObserver* observer);
  void RunMixer(const LayerContext& context, const LayerWeights& w);
  std::span<const float> Rows(std::span<const float> buffer) const;

  ModelConfig config_;
  ModelOptions options_;
  Weights weights_;
  std::unique_ptr<ExpertStore> store_;
  ThreadPool pool_;
  Workspace work_;
  StepClock clock_;
  Lookahead lookahead_;
  MemoryWatch memory_watch_;

  // Of the last pass.
  std::vector<int32_t> ids_;
  std::vector<PassBlock> blocks_;
  int64_t tokens_ = 0;
  bool decode_ = false;
};

}  // namespace flashmoe
