#include "bench/prediction/meter.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace flashmoe {
namespace {

constexpr float kBiasMemory = 0.995f;
constexpr float kPairsShare = 0.5f;

float LogSumExp(std::span<const float> x) {
  const float most = *std::ranges::max_element(x);
  double sum = 0;
  for (const float value : x) sum += std::exp(value - most);
  return most + static_cast<float>(std::log(sum));
}

}  // namespace

PredictionMeter::PredictionMeter(Model& model, uint32_t slots,
                                 std::vector<AdaptiveRouters> learning)
    : model_(model),
      kernels_(*model.options().kernels),
      hidden_(model.config().hidden),
      experts_(model.config().experts),
      k_(model.options().experts_per_token),
      layers_(model.config().layers),
      input_(model.options().chunk_tokens, hidden_, false),
      inner_(model.options().chunk_tokens, std::max(1, model.config().shared_expert_width), false),
      score_(layers_, static_cast<int>(experts_), static_cast<int>(k_), slots, kPredictors),
      history_(static_cast<size_t>(layers_), LayerHistory(static_cast<int>(experts_))),
      bias_(static_cast<size_t>(layers_), std::vector<float>(static_cast<size_t>(experts_))),
      learning_(std::move(learning)),
      chosen_(static_cast<size_t>(layers_)) {}

void PredictionMeter::BeginSequence(std::span<const int32_t> tokens) {
  text_.assign(tokens.begin(), tokens.end());
  position_ = 0;
}

void PredictionMeter::OnEmbedding(std::span<const float> x) {
  x_.assign(x.begin(), x.end());
  guesses_.assign(static_cast<size_t>(tokens() * layers_ * kPredictors), {});
}

void PredictionMeter::OnMixer(int /*layer*/, std::span<const float> mixed) {
  mid_ = x_;
  for (size_t i = 0; i < mid_.size(); ++i) mid_[i] += mixed[i];
}

void PredictionMeter::OnRouting(int layer, std::span<const int32_t> chosen,
                                std::span<const float> /*weights*/) {
  chosen_[static_cast<size_t>(layer)].assign(chosen.begin(), chosen.end());
  for (int64_t t = 0; t < tokens(); ++t) {
    const std::vector<float> wanted = Logits(layer, Row(mid_, t));
    std::vector<float> shared;
    if (layer > 0) {
      shared = Logits(layer, Row(last_.shared, t));
      GuessByRouter(layer, t);
      At(t, layer, kShared) = BestOf(shared);
    }
    At(t, layer, kLayer) = BestOf(Logits(layer, Row(x_, t)));
    GuessByLearning(layer, t, wanted);
    GuessByHistory(layer, t, shared, wanted);
  }
  LeaveSources(model_.weights().layers()[static_cast<size_t>(layer)]);
}

void PredictionMeter::OnLayer(int /*layer*/, std::span<const float> x) {
  last_.before = x_;
  x_.assign(x.begin(), x.end());
}

std::vector<float> PredictionMeter::LogitsOfNormed(int layer, std::span<const float> normed) const {
  std::vector<float> logits(static_cast<size_t>(experts_));
  const Matrix& router = model_.weights().layers()[static_cast<size_t>(layer)].router;
  const Activations input{.n = 1, .cols = hidden_, .f32 = normed.data()};
  kernels_.matmul(router, 0, experts_, input, logits.data(), experts_);
  return logits;
}

std::vector<float> PredictionMeter::Logits(int layer, std::span<const float> x) const {
  std::vector<float> normed(x.size());
  kernels_.rms_norm(x.data(), model_.weights().layers()[static_cast<size_t>(layer)].moe_norm,
                    model_.config().rms_eps, hidden_, normed.data());
  return LogitsOfNormed(layer, normed);
}

void PredictionMeter::GuessByRouter(int layer, int64_t t) {
  At(t, layer, kNormed) = BestOf(LogitsOfNormed(layer, Row(last_.normed, t)));
  At(t, layer, kMixer) = BestOf(Logits(layer, Row(last_.mixer, t)));
  At(t, layer, kAhead) = BestOf(Logits(layer, Row(last_.before, t)));
}

void PredictionMeter::GuessByLearning(int layer, int64_t t, std::span<const float> wanted) {
  const std::array sources = {&last_.mixer, &last_.shared, &x_, &last_.before};
  for (size_t i = 0; i < sources.size(); ++i) {
    if (layer == 0 && sources[i] != &x_) continue;
    Guesses& guesses = At(t, layer, kMixerLearned + static_cast<int>(i));
    guesses.count = static_cast<int>(std::min<int64_t>(kGuesses, experts_));
    learning_[i].Predict(pool_, layer, Row(*sources[i], t),
                         std::span(guesses.ids).first(static_cast<size_t>(guesses.count)));
    learning_[i].Learn(layer, wanted, Choice(layer, t));
  }
}

void PredictionMeter::GuessByHistory(int layer, int64_t t, std::span<const float> shared,
                                     std::span<const float> wanted) {
  LayerHistory& history = history_[static_cast<size_t>(layer)];
  const int32_t token = text_[position_ + static_cast<size_t>(t)];
  std::span<const int32_t> before;
  if (layer > 0) {
    before = Choice(layer - 1, t);
    std::vector<float> logits(shared.size());
    history.PairLogits(before, logits);
    for (size_t e = 0; e < logits.size(); ++e) logits[e] = shared[e] + kPairsShare * logits[e];
    At(t, layer, kSharedPairs) = BestOf(logits);

    std::vector<float>& bias = bias_[static_cast<size_t>(layer)];
    const float shift = LogSumExp(wanted) - LogSumExp(shared);
    for (size_t e = 0; e < logits.size(); ++e) logits[e] = shared[e] + bias[e];
    At(t, layer, kSharedBias) = BestOf(logits);
    for (size_t e = 0; e < logits.size(); ++e) {
      bias[e] += (1 - kBiasMemory) * (wanted[e] - shared[e] - shift - bias[e]);
    }
  }
  At(t, layer, kPairs) = history.Paired(before);
  At(t, layer, kSameToken) = history.SameToken(token);
  At(t, layer, kPrevious) = history.Recent();
  At(t, layer, kFrequent) = history.Frequent();
  history.Learn(token, before, Choice(layer, t));
}

void PredictionMeter::LeaveSources(const LayerWeights& w) {
  last_.mixer = mid_;
  last_.shared = mid_;
  last_.normed.resize(mid_.size());
  for (int64_t t = 0; t < tokens(); ++t) {
    kernels_.rms_norm(mid_.data() + t * hidden_, w.moe_norm, model_.config().rms_eps, hidden_,
                      last_.normed.data() + t * hidden_);
  }
  if (w.shared_gate.rows > 0) AddSharedExpert(w);
}

// last_.shared += sigmoid(shared_router x) * shared(x), as model/moe.cc does.
void PredictionMeter::AddSharedExpert(const LayerWeights& w) {
  const KernelTable& kernels = kernels_;
  const int64_t n = tokens(), width = w.shared_gate.rows;
  std::vector<float> weight(static_cast<size_t>(n)), gate(static_cast<size_t>(n * width)),
      up(gate.size()), out(last_.shared.size());
  const std::array types = {w.shared_gate.type, w.shared_up.type, w.shared_router.type};
  const Activations& x = input_.Set(kernels, pool_, last_.normed.data(), n, hidden_, types);
  const std::array first = {Projection{w.shared_router, weight.data(), 1},
                            Projection{w.shared_gate, gate.data(), width},
                            Projection{w.shared_up, up.data(), width}};
  Project(kernels, pool_, x, first);
  kernels.silu_mul(gate.data(), up.data(), n * width, gate.data());
  const std::array type = {w.shared_down.type};
  const Activations& inner = inner_.Set(kernels, pool_, gate.data(), n, width, type);
  const std::array second = {Projection{w.shared_down, out.data(), hidden_}};
  Project(kernels, pool_, inner, second);
  for (int64_t t = 0; t < n; ++t) {
    const float share = 1.0f / (1.0f + std::exp(-weight[static_cast<size_t>(t)]));
    kernels.axpy(share, out.data() + t * hidden_, hidden_, last_.shared.data() + t * hidden_);
  }
}

void PredictionMeter::OnFinalNorm(std::span<const float> /*x*/) {
  for (int64_t t = 0; t < tokens(); ++t) {
    for (int layer = 0; layer < layers_; ++layer) {
      score_.Count(layer, Choice(layer, t), {&At(t, layer, 0), static_cast<size_t>(kPredictors)});
    }
  }
  position_ += static_cast<size_t>(tokens());
}

}  // namespace flashmoe
