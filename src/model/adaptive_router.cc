#include "model/adaptive_router.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "model/linear.h"
#include "model/router.h"
#include "tensor/half.h"

namespace flashmoe {
namespace {

// Share of an error that one correction takes away, had the same input come again. Of 0.1, 0.3 and
// 0.5 the middle one predicts best.
constexpr float kRate = 0.3f;

float Mean(std::span<const float> x) {
  double sum = 0;
  for (const float value : x) sum += value;
  return static_cast<float>(sum / static_cast<double>(x.size()));
}

uint64_t CopyElements(const ModelConfig& config) {
  return static_cast<uint64_t>(config.experts) * static_cast<uint64_t>(config.hidden);
}

}  // namespace

Result<AdaptiveRouters> AdaptiveRouters::Create(const ModelConfig& config,
                                                std::span<const LayerWeights> layers,
                                                const KernelTable& kernels) {
  const uint64_t elements = CopyElements(config);
  FM_ASSIGN_OR_RETURN(Memory memory, Memory::Allocate(layers.size() * elements * sizeof(uint16_t)));
  AdaptiveRouters routers(config, kernels, std::move(memory));
  std::vector<float> row(static_cast<size_t>(routers.hidden_));
  for (size_t i = 0; i < layers.size(); ++i) {
    const Matrix& router = layers[i].router;
    FM_CHECK(router.rows == routers.experts_ && router.cols == routers.hidden_);
    Layer& layer = routers.layers_.emplace_back();
    layer.norm = layers[i].moe_norm;
    layer.router = routers.memory_.as<uint16_t>() + i * elements;
    for (int64_t e = 0; e < routers.experts_; ++e) {
      kernels.dequantize_row(router, e, row.data());
      std::ranges::transform(row, layer.router + e * routers.hidden_, F32ToBf16);
    }
    layer.input.reserve(static_cast<size_t>(routers.hidden_));
    layer.logits.resize(static_cast<size_t>(routers.experts_));
    layer.best.reserve(routers.corrected_);
  }
  return routers;
}

AdaptiveRouters::AdaptiveRouters(const ModelConfig& config, const KernelTable& kernels,
                                 Memory memory)
    : kernels_(&kernels),
      hidden_(config.hidden),
      experts_(config.experts),
      corrected_(2 * static_cast<size_t>(config.experts_per_token)),
      eps_(config.rms_eps),
      memory_(std::move(memory)) {}

uint64_t AdaptiveRouters::Bytes(const ModelConfig& config) {
  const auto hidden = static_cast<uint64_t>(config.hidden);
  const auto experts = static_cast<uint64_t>(config.experts);
  const auto guesses = 2 * static_cast<uint64_t>(config.experts_per_token);
  const uint64_t layer =
      CopyElements(config) * sizeof(uint16_t) + (hidden + experts + guesses) * sizeof(float);
  return static_cast<uint64_t>(config.layers) * layer;
}

Matrix AdaptiveRouters::View(const Layer& layer) const {
  return {.type = DType::kBF16,
          .rows = experts_,
          .cols = hidden_,
          .data = reinterpret_cast<const std::byte*>(layer.router),
          .row_bytes = hidden_ * static_cast<int64_t>(sizeof(uint16_t))};
}

void AdaptiveRouters::Predict(ThreadPool& pool, int layer, std::span<const float> x,
                              std::span<int32_t> best) {
  FM_CHECK(static_cast<int64_t>(x.size()) == hidden_);
  FM_CHECK(!best.empty() && static_cast<int64_t>(best.size()) <= experts_);
  Layer& at = layers_[static_cast<size_t>(layer)];
  at.input.resize(x.size());
  kernels_->rms_norm(x.data(), at.norm, eps_, hidden_, at.input.data());
  const Activations input{.n = 1, .cols = hidden_, .f32 = at.input.data()};
  const std::array projection = {Projection{View(at), at.logits.data(), experts_}};
  Project(*kernels_, pool, input, projection);
  BestExperts(at.logits, best);
  at.best.assign(best.begin(),
                 best.begin() + std::min(std::ssize(best), std::ptrdiff_t(corrected_)));
}

void AdaptiveRouters::Learn(int layer, std::span<const float> logits,
                            std::span<const int32_t> chosen) {
  Layer& at = layers_[static_cast<size_t>(layer)];
  if (at.input.empty()) return;
  const float power = kernels_->dot(at.input.data(), at.input.data(), hidden_);
  const float shift = Mean(logits) - Mean(at.logits);
  if (power > 0 && std::isfinite(power) && std::isfinite(shift)) {
    const auto correct = [&](int32_t e) {
      const float error =
          logits[static_cast<size_t>(e)] - at.logits[static_cast<size_t>(e)] - shift;
      Correct(at, e, kRate * error / power);
    };
    for (const int32_t e : chosen) correct(e);
    for (const int32_t e : at.best) {
      if (std::ranges::find(chosen, e) == chosen.end()) correct(e);
    }
  }
  at.input.clear();
}

void AdaptiveRouters::Correct(Layer& layer, int32_t row, float factor) {
  if (!std::isfinite(factor)) return;
  kernels_->axpy_bf16(factor, layer.input.data(), hidden_, chance_, layer.router + row * hidden_);
  chance_ += static_cast<uint32_t>(hidden_) * kChanceStep;
}

}  // namespace flashmoe
