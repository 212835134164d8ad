#include "model/delta_net.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace flashmoe {
namespace {

// Where a token's projections stand in work.projected.
struct Layout {
  int64_t channels, values;
  int64_t z, a, b;
  int64_t row;

  explicit Layout(const ModelConfig& c)
      : channels(c.conv_channels()),
        values(int64_t{c.value_heads} * c.value_dim),
        z(channels),
        a(z + values),
        b(a + c.value_heads),
        row(b + c.value_heads) {}
};

// log(1 + e^x), as the reference switches to x itself.
float Softplus(float x) { return x > 20.0f ? x : std::log1p(std::exp(x)); }
float Sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

// Convolution, then q and k normalised per head; q carries the 1 / sqrt(key_dim). Also turns a and
// b into the logarithm of the decay and the learning rate, in place.
void PrepareToken(const LayerContext& c, const DeltaNetWeights& w, const Layout& at,
                  const float* conv_state, int64_t t) {
  const ModelConfig& m = c.config;
  float* row = c.work.projected.data() + (c.row + t) * at.row;
  const float* window[kConvTaps];
  for (int tap = 0; tap < kConvTaps; ++tap) {
    const int64_t source = t - (kConvTaps - 1) + tap;
    window[tap] = source >= 0 ? c.work.projected.data() + (c.row + source) * at.row
                              : conv_state + (source + kConvTaps - 1) * at.channels;
  }
  float* u = c.work.conv_out.data() + (c.row + t) * at.channels;
  c.kernels.conv4_silu(w.conv, window, at.channels, u);
  const auto q_scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(m.key_dim)));
  for (int h = 0; h < 2 * m.key_heads; ++h) {
    float* head = u + int64_t{h} * m.key_dim;
    c.kernels.l2_norm(head, 1e-6f, h < m.key_heads ? q_scale : 1.0f, m.key_dim, head);
  }
  for (int h = 0; h < m.value_heads; ++h) {
    row[at.a + h] = w.neg_a[h] * Softplus(row[at.a + h] + w.dt_bias[h]);
    row[at.b + h] = Sigmoid(row[at.b + h]);
  }
}

// The raw inputs of the last taps - 1 positions become the new convolution state.
void SaveConvInputs(const LayerContext& c, const Layout& at, float* conv_state) {
  constexpr int64_t kKept = kConvTaps - 1;
  const int64_t fresh = std::min(c.tokens, kKept);
  std::memmove(conv_state, conv_state + fresh * at.channels,
               (kKept - fresh) * at.channels * sizeof(float));
  for (int64_t i = 0; i < fresh; ++i) {
    const float* row = c.work.projected.data() + (c.row + c.tokens - fresh + i) * at.row;
    std::memcpy(conv_state + (kKept - fresh + i) * at.channels, row, at.channels * sizeof(float));
  }
}

// One value head over all tokens of a part.
class HeadSweep {
 public:
  HeadSweep(const LayerContext& c, const Layout& at, float* layer_state, int head, float* scratch)
      : c_(c), at_(at), scratch_(scratch), head_(head) {
    const ModelConfig& m = c.config;
    const int64_t key_head =
        m.value_heads_tiled ? head % m.key_heads : head / (m.value_heads / m.key_heads);
    state_ = layer_state + int64_t{head} * m.value_dim * m.key_dim;
    q_ = key_head * m.key_dim;
    k_ = q_ + int64_t{m.key_heads} * m.key_dim;
    v_ = 2 * int64_t{m.key_heads} * m.key_dim + int64_t{head} * m.value_dim;
  }

  void Run() const {
    int64_t t = 0;
    while (t < c_.tokens) {
      const bool aligned = (c_.position + t) % kDeltaChunk == 0;
      if (aligned && c_.tokens - t >= kDeltaChunk) {
        Chunk(t);
        t += kDeltaChunk;
      } else {
        Step(t++);
      }
    }
  }

 private:
  const float* U(int64_t t) const { return c_.work.conv_out.data() + (c_.row + t) * at_.channels; }
  const float* Row(int64_t t) const { return c_.work.projected.data() + (c_.row + t) * at_.row; }
  float* Out(int64_t t) const {
    return c_.work.heads_out.data() + (c_.row + t) * at_.values +
           int64_t{head_} * c_.config.value_dim;
  }

  void Step(int64_t t) const {
    DeltaStep step;
    step.state = state_;
    step.q = U(t) + q_;
    step.k = U(t) + k_;
    step.v = U(t) + v_;
    step.decay = std::exp(Row(t)[at_.a + head_]);
    step.beta = Row(t)[at_.b + head_];
    step.key_dim = c_.config.key_dim;
    step.value_dim = c_.config.value_dim;
    step.out = Out(t);
    c_.kernels.delta_step(step);
  }

  void Chunk(int64_t t) const {
    DeltaChunk chunk;
    chunk.state = state_;
    chunk.q = U(t) + q_;
    chunk.k = U(t) + k_;
    chunk.v = U(t) + v_;
    chunk.qk_stride = at_.channels;
    chunk.v_stride = at_.channels;
    chunk.g = Row(t) + at_.a + head_;
    chunk.beta = Row(t) + at_.b + head_;
    chunk.gate_stride = at_.row;
    chunk.tokens = kDeltaChunk;
    chunk.key_dim = c_.config.key_dim;
    chunk.value_dim = c_.config.value_dim;
    chunk.out = Out(t);
    chunk.out_stride = at_.values;
    chunk.scratch = scratch_;
    c_.kernels.delta_chunk(chunk);
  }

  const LayerContext& c_;
  const Layout& at_;
  float* scratch_;
  int head_;
  float* state_;
  int64_t q_, k_, v_;  // of this head, in a row of conv_out
};

// Everything between the projections but the gated norm, for one sequence.
void MixPart(const LayerContext& c, const DeltaNetWeights& w, const Layout& at,
             SequenceState& state) {
  const ModelConfig& m = c.config;
  float* conv_state = state.conv(c.layer);
  c.pool.ParallelFor(c.tokens, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) PrepareToken(c, w, at, conv_state, t);
  });
  SaveConvInputs(c, at, conv_state);

  const int64_t scratch = DeltaChunkScratch(m.key_dim, m.value_dim);
  const int64_t lanes = std::min<int64_t>(c.pool.threads(), m.value_heads);
  c.pool.ParallelFor(lanes, 1, [&](int64_t begin, int64_t end) {
    for (int64_t lane = begin; lane < end; ++lane) {
      for (int64_t head = lane; head < m.value_heads; head += lanes) {
        HeadSweep(c, at, state.delta(c.layer), static_cast<int>(head),
                  c.work.delta_scratch.data() + lane * scratch)
            .Run();
      }
    }
  });
}

}  // namespace

void RunDeltaNet(const LayerContext& c, const DeltaNetWeights& w) {
  const ModelConfig& m = c.config;
  const Layout at(m);
  float* projected = c.work.projected.data();

  const std::array types = {w.qkv.type, w.z.type, w.a.type, w.b.type};
  const Activations& x = c.work.input.Set(c.kernels, c.pool, c.normed(), c.tokens, m.hidden, types);
  const std::array projections = {
      Projection{w.qkv, projected, at.row}, Projection{w.z, projected + at.z, at.row},
      Projection{w.a, projected + at.a, at.row}, Projection{w.b, projected + at.b, at.row}};
  Project(c.kernels, c.pool, x, projections);

  for (const SequencePart& part : c.parts) MixPart(c.Of(part), w, at, *part.state);

  c.pool.ParallelFor(c.tokens, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      for (int h = 0; h < m.value_heads; ++h) {
        float* out = c.work.heads_out.data() + t * at.values + int64_t{h} * m.value_dim;
        c.kernels.rms_norm(out, w.norm, m.rms_eps, m.value_dim, out);
      }
      c.kernels.silu_scale(projected + t * at.row + at.z, at.values,
                           c.work.heads_out.data() + t * at.values);
    }
  });

  const std::array out_type = {w.out.type};
  const Activations& heads =
      c.work.inner.Set(c.kernels, c.pool, c.work.heads_out.data(), c.tokens, at.values, out_type);
  const std::array out = {Projection{w.out, c.mixed(), m.hidden}};
  Project(c.kernels, c.pool, heads, out);
}

}  // namespace flashmoe
