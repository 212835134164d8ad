#include <fmt/format.h>

#include "model/config_limits.h"

namespace flashmoe {
namespace {

Status Require(bool condition, std::string what) {
  if (condition) return {};
  return InvalidInput(std::move(what), {}, "the file is damaged or of an unknown kind");
}

Status ValidateAttention(const ModelConfig& c) {
  FM_RETURN_IF_ERROR(Require(
      c.heads % c.kv_heads == 0,
      fmt::format("{} attention heads cannot share {} key/value heads", c.heads, c.kv_heads)));
  FM_RETURN_IF_ERROR(Require(
      c.head_dim % 8 == 0, fmt::format("a head dimension of {} is no multiple of 8", c.head_dim)));
  return Require(
      c.rotary_dims > 0 && c.rotary_dims % 2 == 0 && c.rotary_dims <= c.head_dim,
      fmt::format("{} rotary dimensions do not fit a head of {}", c.rotary_dims, c.head_dim));
}

Status ValidateDeltaNet(const ModelConfig& c) {
  FM_RETURN_IF_ERROR(
      Require(c.key_heads > 0 && c.value_heads > 0 && c.key_dim > 0 && c.value_dim > 0,
              "the model has linear-attention layers but no geometry for them"));
  FM_RETURN_IF_ERROR(
      Require(c.value_heads % c.key_heads == 0,
              fmt::format("{} value heads cannot share {} key heads", c.value_heads, c.key_heads)));
  return Require(c.key_dim % 8 == 0 && c.value_dim % 8 == 0,
                 fmt::format("linear-attention heads of {} and {} are no multiples of 8", c.key_dim,
                             c.value_dim));
}

}  // namespace

Status ValidateConfig(const ModelConfig& c) {
  FM_RETURN_IF_ERROR(
      Require(static_cast<int32_t>(c.layer_kinds.size()) == c.layers,
              fmt::format("{} layer kinds for {} layers", c.layer_kinds.size(), c.layers)));
  FM_RETURN_IF_ERROR(
      Require(c.experts_per_token <= c.experts,
              fmt::format("{} experts a token of only {}", c.experts_per_token, c.experts)));
  FM_RETURN_IF_ERROR(Require(c.hidden % 8 == 0 && c.expert_width % 8 == 0,
                             fmt::format("hidden size {} or expert width {} is no multiple of 8",
                                         c.hidden, c.expert_width)));
  if (c.CountLayers(LayerKind::kAttention) > 0) FM_RETURN_IF_ERROR(ValidateAttention(c));
  if (c.CountLayers(LayerKind::kDeltaNet) > 0) FM_RETURN_IF_ERROR(ValidateDeltaNet(c));
  return {};
}

}  // namespace flashmoe
