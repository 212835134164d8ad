// One timeline of tokens and the model's state at its end. Callers hand over whole prefixes; the
// session extends what it has or starts again.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/progress.h"
#include "base/status.h"
#include "model/model.h"
#include "state/prefix_store.h"
#include "state/sequence_state.h"

namespace flashmoe {

// InvalidInput if they exceed the context or an id is out of range.
Status CheckTokens(std::span<const int32_t> tokens, const Model& model);

class Session {
 public:
  Session(Model& model, SequenceState state)
      : model_(&model), state_(std::move(state)), logits_(model.config().vocab_rows) {}

  // Makes the timeline equal `tokens` and computes the logits after the last one. If they begin
  // with what the session holds, only the rest is computed. REQUIRES: not empty. Fails if they
  // exceed the context or an id is out of range, and as Model::Forward does; then the session is
  // empty.
  Status Sync(std::span<const int32_t> tokens, const ProgressFn& progress = {});

  // How many of `tokens` Sync would not have to compute.
  int64_t Reusable(std::span<const int32_t> tokens) const;

  // For a caller that will Sync(prompt) next: takes the timeline to the longest checkpoint of a
  // beginning of the prompt, unless it holds such a beginning anyway, and lets that Sync keep
  // checkpoints at the last multiples of 64 up to the positions `keep`. What it then computes
  // equals a Sync from an empty timeline, bit for bit, unless this one was extended otherwise; then
  // nothing is kept. Returns how many tokens are known. The prompt must live until then.
  int64_t Recall(PrefixStore& prefixes, std::span<const int32_t> prompt,
                 std::span<const int64_t> keep);

  // Keeps the recurrent state of here, for the Rewind() of a later prompt that begins alike: keys
  // and values stay where they are. One place at a time, for as long as the timeline only grows.
  void Mark();
  // For a caller that will Sync(prompt) next: takes the timeline to the mark, if the prompt goes
  // on from there and not from what the session holds. Returns how many tokens are known.
  int64_t Rewind(std::span<const int32_t> prompt);

  // Adds one token. As Sync.
  Status Append(int32_t token);

  // Called with each token's position and the logits after it.
  using LogitsFn = std::function<void(int64_t, std::span<const float>)>;
  // As Sync from an empty timeline, with the logits of every position.
  Status Evaluate(std::span<const int32_t> tokens, const LogitsFn& on_logits,
                  const ProgressFn& progress = {});

  // As Sync from an empty timeline; the observer sees every pass.
  Status Observe(std::span<const int32_t> tokens, ForwardObserver& observer,
                 const ProgressFn& progress = {});

  const std::vector<int32_t>& tokens() const { return tokens_; }
  int64_t context() const { return state_.context(); }
  // After the last token. The caller may scribble on them.
  std::span<float> logits() { return logits_; }

  void Reset();

 private:
  Status Feed(std::span<const int32_t> tokens, const LogitsFn* on_logits, ForwardObserver* observer,
              const ProgressFn& progress);

  std::vector<PrefixStore::Draft> BeginCheckpoints(int64_t end);

  // What the next Sync is to keep.
  struct Keep {
    PrefixStore* prefixes = nullptr;
    std::span<const int32_t> prompt;
    std::vector<int64_t> ends;  // ascending multiples of 64
  };

  Model* model_;
  SequenceState state_;
  std::vector<int32_t> tokens_;
  std::vector<float> logits_;
  Keep keep_;
  bool as_read_ = true;  // the state is what reading the tokens at once gives
  struct Marked {
    int64_t position = 0;  // 0: none
    std::vector<std::byte> recurrent;
    bool as_read = true;
  };
  Marked mark_;
};

}  // namespace flashmoe
