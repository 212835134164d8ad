#include "engine/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace flashmoe {
namespace {

// Reports a prompt's progress layer by layer: a chunk of a big model takes a while.
class ProgressObserver : public ForwardObserver {
 public:
  ProgressObserver(const ProgressFn& progress, uint64_t total, int layers)
      : progress_(progress), total_(total), layers_(layers) {}

  void BeginChunk(uint64_t done, uint64_t tokens) {
    done_ = done;
    tokens_ = tokens;
  }
  void OnLayer(int layer, std::span<const float>) override {
    progress_({"reading prompt", done_ + tokens_ * (layer + 1) / layers_, total_});
  }

 private:
  const ProgressFn& progress_;
  uint64_t total_;
  int layers_;
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
  return Feed(tokens.subspan(tokens_.size()), nullptr, nullptr, progress);
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
  ProgressObserver layers(progress, tokens.size(), model_->config().layers);
  if (observer == nullptr && progress) observer = &layers;
  const int64_t chunk = model_->options().chunk_tokens;
  size_t done = 0;
  while (done < tokens.size()) {
    // Chunks end at multiples of the delta net's block, wherever the first one begins.
    const int64_t room = chunk - state_.position() % kDeltaChunk;
    const auto part = tokens.subspan(done, std::min<size_t>(room, tokens.size() - done));
    layers.BeginChunk(done, part.size());
    const Status status = model_->Forward(part, state_, observer);
    if (!status.has_value()) {
      Reset();
      return status;
    }
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

void Session::Restore(const Snapshot& snapshot) {
  tokens_ = snapshot.tokens;
  logits_ = snapshot.logits;
  state_.Restore(snapshot.state);
}

void Session::Reset() {
  tokens_.clear();
  state_.Reset();
}

}  // namespace flashmoe
