#include "engine/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "engine/checkpoint_ends.h"

namespace flashmoe {
namespace {

// Reports a prompt's progress layer by layer: a chunk of a big model takes a while.
class ProgressObserver : public ForwardObserver {
 public:
  ProgressObserver(const ProgressFn& progress, uint64_t total, Model& model)
      : progress_(progress), total_(total), model_(model), bytes_before_(BytesRead()) {}

  void BeginChunk(uint64_t done, uint64_t tokens) {
    done_ = done;
    tokens_ = tokens;
  }
  void OnLayer(int layer, std::span<const float>) override {
    const auto layers = static_cast<uint64_t>(model_.config().layers);
    const uint64_t done = done_ + tokens_ * (static_cast<uint64_t>(layer) + 1) / layers;
    progress_({"reading prompt", done, total_, BytesRead() - bytes_before_});
  }

 private:
  uint64_t BytesRead() const { return model_.store().stats().bytes_read; }

  const ProgressFn& progress_;
  uint64_t total_;
  Model& model_;
  uint64_t bytes_before_;
  uint64_t done_ = 0;
  uint64_t tokens_ = 0;
};

}  // namespace

Status CheckTokens(std::span<const int32_t> tokens, const Model& model) {
  if (static_cast<int64_t>(tokens.size()) > model.options().context) {
    return InvalidInput(
        fmt::format("{} tokens do not fit a context of {}", tokens.size(), model.options().context),
        {}, "shorten the prompt or give a larger --ctx");
  }
  for (const int32_t id : tokens) {
    if (id < 0 || id >= model.config().vocab_rows) {
      return InvalidInput(fmt::format("token id {} is outside of the vocabulary of {}", id,
                                      model.config().vocab_rows));
    }
  }
  return {};
}

int64_t Session::Reusable(std::span<const int32_t> tokens) const {
  const bool extends =
      tokens_.size() < tokens.size() && std::equal(tokens_.begin(), tokens_.end(), tokens.begin());
  return extends ? static_cast<int64_t>(tokens_.size()) : 0;
}

Status Session::Sync(std::span<const int32_t> tokens, const ProgressFn& progress) {
  FM_CHECK(!tokens.empty());
  FM_RETURN_IF_ERROR(CheckTokens(tokens, *model_));
  if (Reusable(tokens) == 0) Reset();
  const Status status = Feed(tokens.subspan(tokens_.size()), nullptr, nullptr, progress);
  keep_ = {};
  return status;
}

int64_t Session::Recall(PrefixStore& prefixes, std::span<const int32_t> prompt,
                        std::span<const int64_t> keep) {
  if (Reusable(prompt) == 0) {
    mark_.position = 0;
    const int64_t known = prefixes.Restore(prompt, state_);
    tokens_.assign(prompt.begin(), prompt.begin() + known);
    as_read_ = true;
  }
  keep_ = {&prefixes, prompt,
           CheckpointEnds({keep.begin(), keep.end()}, std::ssize(tokens_), std::ssize(prompt))};
  return Reusable(prompt);
}

// Of those to be kept, the ones that a pass to `end` comes to.
std::vector<PrefixStore::Draft> Session::BeginCheckpoints(int64_t end) {
  if (state_.position() % kDeltaChunk != 0) as_read_ = false;
  const auto later = std::ranges::upper_bound(keep_.ends, end);
  if (!as_read_ || later == keep_.ends.begin()) return {};
  const std::vector<int64_t> now(keep_.ends.begin(), later);
  keep_.ends.erase(keep_.ends.begin(), later);
  return keep_.prefixes->Begin(keep_.prompt, now);
}

void Session::Mark() {
  const std::span<const std::byte> recurrent = state_.recurrent();
  mark_.position = state_.position();
  mark_.recurrent.assign(recurrent.begin(), recurrent.end());
  mark_.as_read = as_read_;
}

int64_t Session::Rewind(std::span<const int32_t> prompt) {
  const auto known = std::span(tokens_).first(static_cast<size_t>(mark_.position));
  if (Reusable(prompt) == 0 && mark_.position > 0 && known.size() < prompt.size() &&
      std::ranges::equal(known, prompt.first(known.size()))) {
    state_.Resume(mark_.position, mark_.recurrent);
    tokens_.resize(known.size());
    as_read_ = mark_.as_read;
  }
  return Reusable(prompt);
}

Status Session::Append(int32_t token) {
  if (static_cast<int64_t>(tokens_.size()) >= state_.context()) {
    return Fail(ErrorCode::kOutOfMemory,
                fmt::format("the context of {} positions is full", state_.context()), {},
                "give a larger --ctx");
  }
  FM_RETURN_IF_ERROR(CheckTokens({&token, 1}, *model_));
  return Feed({&token, 1}, nullptr, nullptr, {});
}

Status Session::Evaluate(std::span<const int32_t> tokens, const LogitsFn& on_logits,
                         const ProgressFn& progress) {
  FM_RETURN_IF_ERROR(CheckTokens(tokens, *model_));
  Reset();
  return Feed(tokens, &on_logits, nullptr, progress);
}

Status Session::Observe(std::span<const int32_t> tokens, ForwardObserver& observer,
                        const ProgressFn& progress) {
  FM_RETURN_IF_ERROR(CheckTokens(tokens, *model_));
  Reset();
  return Feed(tokens, nullptr, &observer, progress);
}

Status Session::Feed(std::span<const int32_t> tokens, const LogitsFn* on_logits,
                     ForwardObserver* observer, const ProgressFn& progress) {
  ProgressObserver layers(progress, tokens.size(), *model_);
  if (observer == nullptr && progress) observer = &layers;
  const int64_t chunk = model_->options().chunk_tokens;
  size_t done = 0;
  while (done < tokens.size()) {
    // Chunks end at multiples of the delta net's block, wherever the first one begins.
    const int64_t room = chunk - state_.position() % kDeltaChunk;
    const auto part = tokens.subspan(done, std::min<size_t>(room, tokens.size() - done));
    layers.BeginChunk(done, part.size());
    std::vector<PrefixStore::Draft> drafts = BeginCheckpoints(state_.position() + std::ssize(part));
    std::vector<RecurrentCopy> copies;
    for (const PrefixStore::Draft& draft : drafts) {
      copies.push_back({draft.end(), draft.recurrent()});
    }
    const PassSlice slice = {part, &state_, copies};
    const Status status = model_->Forward({&slice, 1}, observer);
    if (!status.has_value()) {
      if (!drafts.empty()) keep_.prefixes->Drop(drafts);
      keep_ = {};
      Reset();
      return status;
    }
    if (!drafts.empty()) keep_.prefixes->Commit(drafts, state_);
    const int64_t first = static_cast<int64_t>(tokens_.size());
    tokens_.insert(tokens_.end(), part.begin(), part.end());
    for (size_t i = 0; on_logits != nullptr && i < part.size(); ++i) {
      model_->Logits(static_cast<int64_t>(i), logits_);
      (*on_logits)(first + static_cast<int64_t>(i), logits_);
    }
    done += part.size();
    if (progress && observer != &layers) progress({"reading text", done, tokens.size()});
    if (done == tokens.size()) model_->Logits(static_cast<int64_t>(part.size()) - 1, logits_);
  }
  return {};
}

void Session::Reset() {
  mark_.position = 0;
  tokens_.clear();
  state_.Reset();
  as_read_ = true;
}

}  // namespace flashmoe
