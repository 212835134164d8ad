// One pass of some tokens through all layers:
//   x = embedding;  per layer: x += mixer(norm(x)); x += experts(norm(x));  logits = head norm(x)
#include <algorithm>
#include <array>

#include "base/check.h"
#include "model/attention.h"
#include "model/delta_net.h"
#include "model/layer_context.h"
#include "model/model.h"
#include "model/moe.h"
#include "model/router.h"

namespace flashmoe {
namespace {

void AddMixed(const LayerContext& c) {
  const int64_t hidden = c.config.hidden;
  c.pool.ParallelFor(c.tokens, 16, [&](int64_t begin, int64_t end) {
    c.kernels.axpy(1.0f, c.work.mixed.data() + begin * hidden, (end - begin) * hidden,
                   c.work.x.data() + begin * hidden);
  });
}

}  // namespace

Model::Model(ModelConfig config, Weights weights, std::unique_ptr<ExpertStore> store,
             const ModelOptions& options)
    : config_(std::move(config)),
      options_(options),
      weights_(std::move(weights)),
      store_(std::move(store)),
      pool_(options.threads),
      work_(config_, options.chunk_tokens, options.context, options.experts_per_token,
            options.threads),
      clock_(config_.layers),
      lookahead_(config_, weights_.layers(), *options_.kernels, *store_, options_.lookahead) {}

StateShape Model::Shape(const ModelConfig& config, int64_t context, KvType kv_type) {
  StateShape shape;
  for (const LayerKind kind : config.layer_kinds) {
    shape.is_attention.push_back(kind == LayerKind::kAttention);
  }
  shape.context = context;
  shape.kv_bytes = int64_t{config.kv_heads} * config.head_dim * (kv_type == KvType::kF16 ? 2 : 4);
  shape.delta_floats = int64_t{config.value_heads} * config.value_dim * config.key_dim;
  shape.conv_floats = (kConvTaps - 1) * config.conv_channels();
  return shape;
}

std::span<const float> Model::Rows(const std::vector<float>& buffer) const {
  return {buffer.data(), static_cast<size_t>(tokens_ * config_.hidden)};
}

Status Model::Forward(std::span<const int32_t> tokens, SequenceState& state,
                      ForwardObserver* observer) {
  tokens_ = static_cast<int64_t>(tokens.size());
  FM_CHECK(tokens_ >= 1 && tokens_ <= work_.tokens_max);
  FM_CHECK(state.position() + tokens_ <= state.context());
  for (const int32_t id : tokens) FM_CHECK(id >= 0 && id < config_.vocab_rows);

  clock_.Begin(tokens_);
  LayerContext context{config_, *options_.kernels, pool_,           work_, clock_,
                       0,       tokens_,           state.position()};
  FM_RETURN_IF_ERROR(weights_.Embed(tokens, options_.kernels->dequantize_row, work_.x.data()));
  if (observer != nullptr) observer->OnEmbedding(Rows(work_.x));
  PrepareRotary(context);
  clock_.Lap(Step::kEmbedding);
  lookahead_.BeginPass(context);
  clock_.Lap(Step::kLookahead);
  for (; context.layer < config_.layers; ++context.layer) {
    FM_RETURN_IF_ERROR(RunLayer(context, state, observer));
  }
  NormRows(context, weights_.final_norm(), work_.normed.data());
  clock_.Lap(Step::kNorms);
  clock_.EndPass(tokens_);
  lookahead_.EndPass(context);
  if (observer != nullptr) observer->OnFinalNorm(Rows(work_.normed));
  state.Advance(tokens_);
  return {};
}

// A block of tokens at a time: mixers need many floats for each. Meanwhile guesses are read.
void Model::RunMixer(const LayerContext& c, const LayerWeights& w, SequenceState& state) {
  LayerContext block = c;
  for (block.first = 0; block.first < tokens_; block.first += block.tokens) {
    block.position = c.position + block.first;
    // Blocks end at multiples of the delta net's, as chunks do.
    block.tokens =
        std::min(work_.block_tokens - block.position % kDeltaChunk, tokens_ - block.first);
    if (w.attention) {
      RunAttention(block, *w.attention, options_.kv_type, state);
    } else {
      RunDeltaNet(block, *w.delta_net, state);
    }
    store_->Poll();
  }
}

Status Model::RunLayer(LayerContext& c, SequenceState& state, ForwardObserver* observer) {
  if (options_.cancel != nullptr && options_.cancel->IsSet()) {
    return Fail(ErrorCode::kCancelled, "the computation was interrupted");
  }
  const LayerWeights& w = weights_.layers()[c.layer];
  NormRows(c, w.mixer_norm, work_.normed.data());
  c.Lap(Step::kNorms);
  RunMixer(c, w, state);
  c.Lap(w.attention ? Step::kAttention : Step::kDeltaNet);
  if (observer != nullptr) observer->OnMixer(c.layer, Rows(work_.mixed));
  AddMixed(c);

  NormRows(c, w.moe_norm, work_.normed.data());
  c.Lap(Step::kNorms);
  Route(c, w);
  c.Lap(Step::kRouter);
  if (observer != nullptr) {
    const auto choices = static_cast<size_t>(tokens_ * work_.experts_per_token);
    observer->OnRouting(c.layer, {work_.routing.chosen.data(), choices},
                        {work_.routing.weights.data(), choices});
  }
  FM_RETURN_IF_ERROR(RunExperts(c, w, *store_, lookahead_));
  if (observer != nullptr) observer->OnExperts(c.layer, Rows(work_.mixed));
  AddMixed(c);
  c.Lap(Step::kNorms);
  if (observer != nullptr) observer->OnLayer(c.layer, Rows(work_.x));
  return {};
}

void Model::Logits(int64_t index, std::span<float> out) {
  FM_CHECK(index >= 0 && index < tokens_);
  FM_CHECK(static_cast<int64_t>(out.size()) == config_.vocab_rows);
  clock_.Begin(tokens_);
  const Matrix& head = weights_.head();
  const std::array type = {head.type};
  const Activations& x =
      work_.input.Set(*options_.kernels, pool_, work_.normed.data() + index * config_.hidden, 1,
                      config_.hidden, type);
  const std::array projection = {Projection{head, out.data(), config_.vocab_rows}};
  Project(*options_.kernels, pool_, x, projection);
  clock_.Lap(Step::kHead);
}

}  // namespace flashmoe
