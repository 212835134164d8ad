#include "model/attention.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace flashmoe {
namespace {

// Where q, k and v of a token stand in work.projected.
struct Layout {
  int64_t q_stride;  // floats of a query head, its gate included
  int64_t q, k, v;   // floats from the start of the token's row
  int64_t row;

  explicit Layout(const ModelConfig& c)
      : q_stride(c.head_dim * (c.output_gate ? 2 : 1)),
        q(0),
        k(c.heads * q_stride),
        v(k + int64_t{c.kv_heads} * c.head_dim),
        row(v + int64_t{c.kv_heads} * c.head_dim) {}
};

// Norms and rotates a token's heads in place and stores its key and value.
void FinishToken(const LayerContext& c, const AttentionWeights& w, const Layout& at, KvType kv_type,
                 int64_t kv_bytes, SequenceState& state, int64_t t) {
  const ModelConfig& m = c.config;
  const int64_t half = m.rotary_dims / 2;
  float* row = c.work.projected.data() + (c.row + t) * at.row;
  const float* cosines = c.work.cosines.data() + (c.first + t) * half;
  const float* sines = c.work.sines.data() + (c.first + t) * half;
  for (int h = 0; h < m.heads; ++h) {
    float* q = row + at.q + h * at.q_stride;
    c.kernels.rms_norm(q, w.q_norm, m.rms_eps, m.head_dim, q);
    c.kernels.rope(q, cosines, sines, half);
  }
  for (int h = 0; h < m.kv_heads; ++h) {
    float* k = row + at.k + int64_t{h} * m.head_dim;
    c.kernels.rms_norm(k, w.k_norm, m.rms_eps, m.head_dim, k);
    c.kernels.rope(k, cosines, sines, half);
  }
  const int64_t kv_floats = int64_t{m.kv_heads} * m.head_dim;
  const int64_t offset = (c.position + t) * kv_bytes;
  c.kernels.store_kv(row + at.k, kv_floats, kv_type, state.keys(c.layer) + offset);
  c.kernels.store_kv(row + at.v, kv_floats, kv_type, state.values(c.layer) + offset);
}

// How the queries of a pass are cut into blocks that share their keys: some tokens of one key/value
// head, with all its query heads or, where there would be fewer blocks than threads, a part of
// them.
struct Blocks {
  int64_t group;   // query heads of a key/value head
  int64_t heads;   // of a block
  int64_t tokens;  // of a block
  int64_t head_parts, token_parts, count;

  Blocks(const ModelConfig& c, int64_t n, int threads) : group(c.heads / c.kv_heads) {
    const int64_t spare = std::max<int64_t>(1, threads / (n * c.kv_heads));
    heads = std::min(kAttentionRows, (group + spare - 1) / spare);
    const int64_t fair = (n * c.kv_heads + threads - 1) / threads;
    tokens = std::clamp<int64_t>(kAttentionRows / heads, 1, fair);
    head_parts = (group + heads - 1) / heads;
    token_parts = (n + tokens - 1) / tokens;
    count = token_parts * c.kv_heads * head_parts;
  }
};

// Block `index`, with the output gate.
void Attend(const LayerContext& c, const Layout& at, const Blocks& blocks, KvType kv_type,
            int64_t kv_bytes, const SequenceState& state, int64_t index, float* scratch) {
  const ModelConfig& m = c.config;
  const int64_t kv_head = index % m.kv_heads;
  const int64_t part = index / m.kv_heads % blocks.head_parts;
  const int64_t t = index / m.kv_heads / blocks.head_parts * blocks.tokens;
  const int64_t h = kv_head * blocks.group + part * blocks.heads;
  AttentionBlock block;
  block.q = c.work.projected.data() + (c.row + t) * at.row + at.q + h * at.q_stride;
  block.q_token_stride = at.row;
  block.q_head_stride = at.q_stride;
  block.k = state.keys(c.layer) + kv_head * (kv_bytes / m.kv_heads);
  block.v = state.values(c.layer) + kv_head * (kv_bytes / m.kv_heads);
  block.kv_type = kv_type;
  block.stride_bytes = kv_bytes;
  block.tokens = std::min(blocks.tokens, c.tokens - t);
  block.heads = std::min(blocks.heads, blocks.group - part * blocks.heads);
  block.length = c.position + t + 1;
  block.head_dim = m.head_dim;
  block.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(m.head_dim)));
  block.scratch = scratch;
  block.out = c.work.heads_out.data() + ((c.row + t) * m.heads + h) * m.head_dim;
  block.out_token_stride = int64_t{m.heads} * m.head_dim;
  block.out_head_stride = m.head_dim;
  c.kernels.attention(block);
  if (!m.output_gate) return;
  for (int64_t i = 0; i < block.tokens; ++i) {
    for (int64_t j = 0; j < block.heads; ++j) {
      const float* gate = block.q + i * at.row + j * at.q_stride + m.head_dim;
      c.kernels.sigmoid_mul(gate, m.head_dim,
                            block.out + i * block.out_token_stride + j * m.head_dim);
    }
  }
}

// Everything between the projections, for one sequence.
void MixPart(const LayerContext& c, const AttentionWeights& w, const Layout& at, KvType kv_type,
             int64_t kv_bytes, SequenceState& state) {
  c.pool.ParallelFor(c.tokens, 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) FinishToken(c, w, at, kv_type, kv_bytes, state, t);
  });

  // Each lane has scratch of its own; blocks are dealt out in turn, because later tokens look back
  // further.
  const Blocks blocks(c.config, c.tokens, c.pool.threads());
  const int64_t lanes = std::min<int64_t>(c.pool.threads(), blocks.count);
  const int64_t scratch = static_cast<int64_t>(c.work.attention_scratch.size()) / c.pool.threads();
  c.pool.ParallelFor(lanes, 1, [&](int64_t begin, int64_t end) {
    for (int64_t lane = begin; lane < end; ++lane) {
      for (int64_t i = lane; i < blocks.count; i += lanes) {
        Attend(c, at, blocks, kv_type, kv_bytes, state, i,
               c.work.attention_scratch.data() + lane * scratch);
      }
    }
  });
}

}  // namespace

void PrepareRotary(const LayerContext& c) {
  const int64_t half = c.config.rotary_dims / 2;
  for (int64_t i = 0; i < half; ++i) {
    // In float32, as the reference computes it: models were trained with these angles.
    const double exponent = -2.0 * static_cast<double>(i) / c.config.rotary_dims;
    const auto frequency =
        static_cast<float>(std::pow(static_cast<double>(c.config.rope_theta), exponent));
    for (int64_t t = 0; t < c.tokens; ++t) {
      const float angle = static_cast<float>(c.position + t) * frequency;
      c.work.cosines[(c.first + t) * half + i] =
          static_cast<float>(std::cos(static_cast<double>(angle)));
      c.work.sines[(c.first + t) * half + i] =
          static_cast<float>(std::sin(static_cast<double>(angle)));
    }
  }
}

void RunAttention(const LayerContext& c, const AttentionWeights& w, KvType kv_type) {
  const ModelConfig& m = c.config;
  const Layout at(m);
  const int64_t kv_bytes = KvBytes(kv_type, int64_t{m.kv_heads} * m.head_dim);
  float* projected = c.work.projected.data();

  const std::array types = {w.q.type, w.k.type, w.v.type};
  const Activations& x = c.work.input.Set(c.kernels, c.pool, c.normed(), c.tokens, m.hidden, types);
  const std::array projections = {Projection{w.q, projected + at.q, at.row},
                                  Projection{w.k, projected + at.k, at.row},
                                  Projection{w.v, projected + at.v, at.row}};
  Project(c.kernels, c.pool, x, projections);
  c.KeepReading();

  for (const SequencePart& part : c.parts) {
    MixPart(c.Of(part), w, at, kv_type, kv_bytes, *part.state);
  }
  c.KeepReading();

  const std::array out_type = {w.o.type};
  const Activations& heads = c.work.inner.Set(c.kernels, c.pool, c.work.heads_out.data(), c.tokens,
                                              int64_t{m.heads} * m.head_dim, out_type);
  const std::array out = {Projection{w.o, c.mixed(), m.hidden}};
  Project(c.kernels, c.pool, heads, out);
}

}  // namespace flashmoe
