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
      work_(config_, PassTokens(options.chunk_tokens, options.sequences), options.context,
            options.experts_per_token, options.threads),
      clock_(config_.layers),
      lookahead_(config_, weights_.layers(), *options_.kernels, *store_, options_.lookahead),
      memory_watch_(options_.memory) {}

StateShape Model::Shape(const ModelConfig& config, int64_t context, KvType kv_type) {
  StateShape shape;
  for (const LayerKind kind : config.layer_kinds) {
    shape.is_attention.push_back(kind == LayerKind::kAttention);
  }
  shape.context = context;
  shape.kv_bytes = KvBytes(kv_type, int64_t{config.kv_heads} * config.head_dim);
  shape.delta_floats = int64_t{config.value_heads} * config.value_dim * config.key_dim;
  shape.conv_floats = (kConvTaps - 1) * config.conv_channels();
  return shape;
}

std::span<const float> Model::Rows(std::span<const float> buffer) const {
  return {buffer.data(), static_cast<size_t>(tokens_ * config_.hidden)};
}

Status Model::Forward(std::span<const PassSlice> slices, ForwardObserver* observer,
                      const std::function<bool()>& cancelled) {
  const std::vector<SequencePart> parts = PartsOf(slices);
  tokens_ = parts.back().first + parts.back().tokens;
  decode_ = std::ranges::all_of(parts, [](const auto& part) { return part.tokens == 1; });
  FM_CHECK(tokens_ <= work_.tokens_max);
  ids_.clear();
  for (const PassSlice& slice : slices) {
    FM_CHECK(!slice.tokens.empty());
    FM_CHECK(slice.state->position() + std::ssize(slice.tokens) <= slice.state->context());
    for (const RecurrentCopy& copy : slice.copies) {
      FM_CHECK(copy.position % kDeltaChunk == 0 && copy.position > slice.state->position());
      FM_CHECK(copy.position <= slice.state->position() + std::ssize(slice.tokens));
    }
    ids_.insert(ids_.end(), slice.tokens.begin(), slice.tokens.end());
  }
  for (const int32_t id : ids_) FM_CHECK(id >= 0 && id < config_.vocab_rows);
  blocks_ = CutBlocks(parts, work_.block_tokens);

  clock_.Begin(decode_);
  const std::function<void()> keep_reading = [this] { store_->Poll(); };
  const std::function<bool()> stop = [&] {
    return (options_.cancel != nullptr && options_.cancel->IsSet()) || (cancelled && cancelled());
  };
  LayerContext context{config_, *options_.kernels, pool_, work_, clock_};
  context.keep_reading = &keep_reading;
  context.stop = &stop;
  context.tokens = tokens_;
  context.parts = parts;
  FM_RETURN_IF_ERROR(weights_.Embed(ids_, options_.kernels->dequantize_row, work_.x.data()));
  if (observer != nullptr) observer->OnEmbedding(Rows(work_.x));
  for (const SequencePart& part : parts) PrepareRotary(context.Of(part));
  clock_.Lap(Step::kEmbedding);
  lookahead_.BeginPass(context);
  clock_.Lap(Step::kLookahead);
  for (; context.layer < config_.layers; ++context.layer) {
    if (stop()) return Fail(ErrorCode::kCancelled, "the computation was interrupted");
    LookAtMemory();
    FM_RETURN_IF_ERROR(RunLayer(context, observer));
  }
  NormRows(context, weights_.final_norm(), work_.normed.data());
  clock_.Lap(Step::kNorms);
  clock_.EndPass(tokens_);
  lookahead_.EndPass(context);
  if (observer != nullptr) observer->OnFinalNorm(Rows(work_.normed));
  for (const SequencePart& part : parts) part.state->Advance(part.tokens);
  return {};
}

// A block of tokens at a time: mixers need many floats for each. Meanwhile guesses are read.
void Model::RunMixer(const LayerContext& c, const LayerWeights& w) {
  for (const PassBlock& block : blocks_) {
    if (w.attention) {
      RunAttention(c.Of(block), *w.attention, options_.kv_type);
    } else {
      RunDeltaNet(c.Of(block), *w.delta_net);
      for (const SequencePart& part : block.parts) {
        for (const RecurrentCopy& copy : part.copies) part.state->CopyRecurrent(c.layer, copy.to);
      }
    }
    c.KeepReading();
  }
}

Status Model::RunLayer(LayerContext& c, ForwardObserver* observer) {
  const LayerWeights& w = weights_.layers()[c.layer];
  NormRows(c, w.mixer_norm, work_.normed.data());
  c.Lap(Step::kNorms);
  RunMixer(c, w);
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

void Model::Logits(std::span<const int64_t> rows, std::span<float> out) {
  const auto n = std::ssize(rows);
  FM_CHECK(n >= 1 && std::ssize(out) == n * config_.vocab_rows);
  clock_.Begin(decode_);
  const Matrix& head = weights_.head();
  const std::array type = {head.type};
  const int64_t hidden = config_.hidden;
  // Nobody needs what the experts left there.
  float* gathered = work_.mixed.data();
  for (int64_t i = 0; i < n; ++i) {
    FM_CHECK(rows[i] >= 0 && rows[i] < tokens_);
    std::copy_n(work_.normed.data() + rows[i] * hidden, hidden, gathered + i * hidden);
  }
  const Activations& x = work_.input.Set(*options_.kernels, pool_, gathered, n, hidden, type);
  const std::array projection = {Projection{head, out.data(), config_.vocab_rows}};
  Project(*options_.kernels, pool_, x, projection);
  clock_.Lap(Step::kHead);
}

}  // namespace flashmoe
