#include "model/adaptive_router.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "model/linear.h"

namespace flashmoe {
namespace {

// Share of an error that one correction takes away, had the same input come again. Of 0.1, 0.3 and
// 0.5 the middle one predicts best.
constexpr float kRate = 0.3f;

Matrix View(const std::vector<float>& router, int64_t experts, int64_t hidden) {
  return {.type = DType::kF32,
          .rows = experts,
          .cols = hidden,
          .data = reinterpret_cast<const std::byte*>(router.data()),
          .row_bytes = hidden * static_cast<int64_t>(sizeof(float))};
}

// The experts with the largest logits. NaN is never better.
void BestExperts(std::span<const float> logits, std::span<int32_t> best) {
  size_t listed = 0;
  for (size_t e = 0; e < logits.size(); ++e) {
    if (listed == best.size() && !(logits[e] > logits[best[listed - 1]])) continue;
    size_t at = listed < best.size() ? listed++ : listed - 1;
    for (; at > 0 && logits[e] > logits[best[at - 1]]; --at) best[at] = best[at - 1];
    best[at] = static_cast<int32_t>(e);
  }
}

float Mean(std::span<const float> x) {
  double sum = 0;
  for (const float value : x) sum += value;
  return static_cast<float>(sum / static_cast<double>(x.size()));
}

}  // namespace

AdaptiveRouters::AdaptiveRouters(const ModelConfig& config, std::span<const LayerWeights> layers,
                                 const KernelTable& kernels)
    : kernels_(kernels),
      hidden_(config.hidden),
      experts_(config.experts),
      corrected_(2 * static_cast<size_t>(config.experts_per_token)),
      eps_(config.rms_eps),
      layers_(layers.size()) {
  for (size_t i = 0; i < layers.size(); ++i) {
    const Matrix& router = layers[i].router;
    FM_CHECK(router.rows == experts_ && router.cols == hidden_);
    Layer& layer = layers_[i];
    layer.norm = layers[i].moe_norm;
    layer.router.resize(static_cast<size_t>(experts_ * hidden_));
    for (int64_t e = 0; e < experts_; ++e) {
      kernels.dequantize_row(router, e, layer.router.data() + e * hidden_);
    }
    layer.input.reserve(static_cast<size_t>(hidden_));
    layer.logits.resize(static_cast<size_t>(experts_));
    layer.best.reserve(corrected_);
  }
}

uint64_t AdaptiveRouters::Bytes(const ModelConfig& config) {
  const auto hidden = static_cast<uint64_t>(config.hidden);
  const auto experts = static_cast<uint64_t>(config.experts);
  const auto guesses = 2 * static_cast<uint64_t>(config.experts_per_token);
  return static_cast<uint64_t>(config.layers) * sizeof(float) *
         (experts * hidden + hidden + experts + guesses);
}

void AdaptiveRouters::Predict(ThreadPool& pool, int layer, std::span<const float> x,
                              std::span<int32_t> best) {
  FM_CHECK(static_cast<int64_t>(x.size()) == hidden_);
  FM_CHECK(!best.empty() && static_cast<int64_t>(best.size()) <= experts_);
  Layer& at = layers_[static_cast<size_t>(layer)];
  at.input.resize(x.size());
  kernels_.rms_norm(x.data(), at.norm, eps_, hidden_, at.input.data());
  const Activations input{.n = 1, .cols = hidden_, .f32 = at.input.data()};
  const std::array projection = {
      Projection{View(at.router, experts_, hidden_), at.logits.data(), experts_}};
  Project(kernels_, pool, input, projection);
  BestExperts(at.logits, best);
  at.best.assign(best.begin(),
                 best.begin() + std::min(std::ssize(best), std::ptrdiff_t(corrected_)));
}

void AdaptiveRouters::Learn(int layer, std::span<const float> logits,
                            std::span<const int32_t> chosen) {
  Layer& at = layers_[static_cast<size_t>(layer)];
  if (at.input.empty()) return;
  const float power = kernels_.dot(at.input.data(), at.input.data(), hidden_);
  const float shift = Mean(logits) - Mean(at.logits);
  if (power > 0 && std::isfinite(power) && std::isfinite(shift)) {
    const auto correct = [&](int32_t e) {
      const float error =
          logits[static_cast<size_t>(e)] - at.logits[static_cast<size_t>(e)] - shift;
      kernels_.axpy(kRate * error / power, at.input.data(), hidden_,
                    at.router.data() + e * hidden_);
    };
    for (const int32_t e : chosen) correct(e);
    for (const int32_t e : at.best) {
      if (std::ranges::find(chosen, e) == chosen.end()) correct(e);
    }
  }
  at.input.clear();
}

}  // namespace flashmoe
