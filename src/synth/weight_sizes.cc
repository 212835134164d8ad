#include "synth/weight_sizes.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace flashmoe {
namespace {

// Columns for biases come in multiples of the largest block.
constexpr int64_t kBlock = 256;

// Found by measuring LRU caches over the routing, against traces of a trained model.
constexpr double kContextAdded = 4.5;     // by all delta nets together, in quadrature
constexpr double kContextAddedMax = 0.85;  // by one
constexpr double kOtherAdded = 0.15;      // by an attention layer or the experts of a layer
constexpr double kKeyBias = 6, kUpdateBias = 6, kGateBias = 5;
constexpr double kValueTaps = 0.2;  // small, so that silu lets values through without a mean

struct Gain {
  std::string_view base;
  double gain;      // size of the outputs beside that of the inputs
  double bias = 0;  // size of the weights in the first columns beside the others'
};

constexpr Gain kGains[] = {
    {"output", 2.0, 1.0},  // logits of a lively but not certain model
    {"attn_qkv", 1.0, kKeyBias},
    {"attn_gate", 1.0, kGateBias},
    {"ssm_beta", 1.0, kUpdateBias},
    {"ssm_ba", 1.0, kUpdateBias},
    {"ssm_alpha", 0.3},
    {"attn_output", kOtherAdded},
    // The weights of a token's experts sum to 1, and silu(gate) * up is a third of its inputs.
    {"ffn_down_exps", 4 * kOtherAdded},
    {"ffn_down_shexp", kOtherAdded},
};

Gain GainOf(std::string_view base, const ModelConfig& config) {
  if (base == "ssm_out") {
    const double added = kContextAdded / std::sqrt(static_cast<double>(config.layers));
    return {base, std::min(added, kContextAddedMax)};
  }
  const auto found = std::ranges::find(std::span(kGains), base, &Gain::base);
  return found == std::span(kGains).end() ? Gain{base, 1.0} : *found;
}

}  // namespace

int64_t CountBiasColumns(const ModelConfig& config) { return config.hidden / 8 / kBlock * kBlock; }

MatrixWeights MatrixWeightsOf(std::string_view base, int64_t cols, const ModelConfig& config) {
  const Gain gain = GainOf(base, config);
  MatrixWeights weights;
  weights.size = base == "token_embd" ? 1.0 : gain.gain / std::sqrt(static_cast<double>(cols));
  if (cols != config.hidden) return weights;  // does not read the residual stream
  weights.bias.cols = CountBiasColumns(config);
  weights.bias.size = weights.size * gain.bias;
  if (base == "token_embd") weights.bias = {.cols = weights.bias.cols, .size = 1.0, .same = true};
  if (base == "attn_qkv") weights.bias.rows = 2 * int64_t{config.key_heads} * config.key_dim;
  return weights;
}

VectorWeights VectorWeightsOf(std::string_view base, const ModelConfig& config) {
  if (base == "ssm_conv1d") {
    return {.low = -1.0,
            .high = 1.0,
            .other_from = 2 * int64_t{config.key_heads} * config.key_dim,
            .other_bound = kValueTaps};
  }
  if (base == "ssm_dt") return {.low = -6.0, .high = -4.0};  // states that last
  if (base == "ssm_a") return {.low = -2.0, .high = -0.05};
  if (base == "ffn_gate_inp_shexp") {
    const double bound = 1.4 / std::sqrt(static_cast<double>(config.hidden));
    return {.low = -bound, .high = bound};
  }
  return {.low = 0.9, .high = 1.1};  // norms
}

}  // namespace flashmoe
