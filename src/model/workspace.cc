#include "model/workspace.h"

#include <algorithm>

namespace flashmoe {
namespace {

constexpr int64_t kBlockTokens = 512;
static_assert(kBlockTokens % kDeltaChunk == 0);

// Blocks of a row that is made in pieces are whole.
int64_t RoundUp(int64_t width) { return (width + 31) / 32 * 32; }

// Rows of the buffers between the steps of experts: a block of tokens, or a token's experts.
int64_t InnerRows(int64_t block_tokens, int k) { return std::max<int64_t>(block_tokens, k + 1); }

// Floats of every buffer, in one place, so that the plan and the allocation cannot disagree.
struct Sizes {
  int64_t hidden, inner, projected, heads_out, rotary, attention, delta, width;

  Sizes(const ModelConfig& c, int64_t context) {
    const int64_t q = int64_t{c.heads} * c.head_dim;
    const int64_t values = int64_t{c.value_heads} * c.value_dim;
    const int64_t gated_qkv = q * (c.output_gate ? 2 : 1) + 2 * int64_t{c.kv_heads} * c.head_dim;
    const int64_t delta_net = c.conv_channels() + values + 2 * c.value_heads;
    hidden = c.hidden;
    projected = std::max(gated_qkv, delta_net);
    heads_out = std::max(q, values);
    rotary = c.rotary_dims / 2;
    attention = AttentionScratch(c.head_dim, context);
    delta = c.CountLayers(LayerKind::kDeltaNet) > 0 ? DeltaLaneFloats(c) : 0;
    width = RoundUp(std::max(c.expert_width, c.shared_expert_width));
    inner = std::max(heads_out, width);
  }
};

}  // namespace

int64_t DeltaLaneFloats(const ModelConfig& c) {
  const int64_t token = 2 * int64_t{c.key_dim} + c.value_dim + 2;
  return kDeltaChunk * token + DeltaChunkScratch(c.key_dim);
}

int64_t Workspace::BlockTokens(int64_t n) { return std::min(n, kBlockTokens); }

Workspace::Workspace(const ModelConfig& c, int64_t n, int64_t context, int k, int threads)
    : tokens_max(n),
      block_tokens(BlockTokens(n)),
      experts_per_token(k),
      input(n, Sizes(c, context).hidden, /*gathers=*/false),
      inner(InnerRows(block_tokens, k), Sizes(c, context).inner, /*gathers=*/false),
      gathered(block_tokens, Sizes(c, context).hidden, /*gathers=*/true) {
  const Sizes s(c, context);
  x.resize(n * s.hidden);
  normed.resize(n * s.hidden);
  mixed.resize(n * s.hidden);
  projected.resize(block_tokens * s.projected);
  heads_out.resize(block_tokens * s.heads_out);
  cosines.resize(n * s.rotary);
  sines.resize(n * s.rotary);
  attention_scratch.resize(threads * s.attention);
  delta_scratch.resize(threads * s.delta);
  routing.logits.resize(n * c.experts);
  routing.raw_logits.resize(c.experts);
  routing.chosen.resize(n * k);
  routing.weights.resize(n * k);
  gate.resize(InnerRows(block_tokens, k) * s.width);
  up.resize(InnerRows(block_tokens, k) * s.width);
  expert_out.resize(n * k * s.hidden);
  shared_out.resize(n * s.hidden);
  shared_weight.resize(n);
}

uint64_t Workspace::Bytes(const ModelConfig& c, int64_t n, int64_t context, int k, int threads) {
  const Sizes s(c, context);
  const int64_t b = BlockTokens(n);
  const int64_t per_token = s.hidden * (4 + k) + 2 * s.rotary + c.experts + 2 * k + 1;
  const int64_t inner_rows = InnerRows(b, k);
  const int64_t per_block_token = s.projected + s.heads_out;
  const int64_t per_thread = s.attention + s.delta;
  const int64_t floats = n * per_token + b * per_block_token + inner_rows * 2 * s.width +
                         threads * per_thread + c.experts;
  return sizeof(float) * static_cast<uint64_t>(floats) +
         ActivationBuffer::Bytes(n, s.hidden, false) +
         ActivationBuffer::Bytes(inner_rows, s.inner, false) +
         ActivationBuffer::Bytes(b, s.hidden, true);
}

}  // namespace flashmoe
