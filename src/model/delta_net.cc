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

// Some value heads of one key head over all tokens of a part: convolution, normalised keys, gates,
// the delta rule, and the gated norm of its outputs. Tokens lie far apart in the buffers of a
// block; here they lie together, a chunk at a time.
class HeadsSweep {
 public:
  HeadsSweep(const LayerContext& c, const DeltaNetWeights& w, const Layout& at, float* lane)
      : c_(c), w_(w), at_(at) {
    const ModelConfig& m = c.config;
    q_ = lane;
    k_ = q_ + kDeltaChunk * m.key_dim;
    v_ = k_ + kDeltaChunk * m.key_dim;
    g_ = v_ + kDeltaChunk * m.value_dim;
    beta_ = g_ + kDeltaChunk;
    scratch_ = beta_ + kDeltaChunk;
  }

  // The first value head and `count` - 1 others of those that read the key head, in order.
  void Run(SequenceState& state, int key_head, int first, int count) const {
    for (int64_t t = 0; t < c_.tokens;) {
      const bool aligned = (c_.position + t) % kDeltaChunk == 0;
      const int64_t n = aligned && c_.tokens - t >= kDeltaChunk ? kDeltaChunk : 1;
      const float* conv_state = state.conv(c_.layer);
      MakeKeys(conv_state, t, n, key_head);
      for (int i = first; i < first + count; ++i) {
        const int head = ValueHead(key_head, i);
        MakeValues(conv_state, t, n, head);
        Advance(state.delta(c_.layer), n, head);
        Finish(t, n, head);
      }
      t += n;
    }
  }

 private:
  // No prefetcher of the hardware follows from token to token.
  static constexpr int64_t kAhead = 4;
  static void Prefetch(const float* p, int64_t n) {
    for (int64_t i = 0; i < n; i += 16) __builtin_prefetch(p + i);
  }

  int ValueHead(int key_head, int i) const {
    const ModelConfig& m = c_.config;
    return m.value_heads_tiled ? key_head + i * m.key_heads
                               : key_head * (m.value_heads / m.key_heads) + i;
  }
  float* Row(int64_t t) const { return c_.work.projected.data() + (c_.row + t) * at_.row; }

  // Channels [channel, channel + dim) of tokens [t, t + n), convolved, one token after another.
  void Convolve(const float* conv_state, int64_t t, int64_t n, int64_t channel, int64_t dim,
                float* to) const {
    for (int64_t i = 0; i < n; ++i) {
      if (i + kAhead < n) Prefetch(Row(t + i + kAhead) + channel, dim);
      const float* window[kConvTaps];
      for (int tap = 0; tap < kConvTaps; ++tap) {
        const int64_t source = t + i - (kConvTaps - 1) + tap;
        window[tap] =
            channel +
            (source >= 0 ? Row(source) : conv_state + (source + kConvTaps - 1) * at_.channels);
      }
      c_.kernels.conv4_silu(w_.conv + kConvTaps * channel, window, dim, to + i * dim);
    }
  }

  // q carries the 1 / sqrt(key_dim).
  void MakeKeys(const float* conv_state, int64_t t, int64_t n, int key_head) const {
    const int64_t dim = c_.config.key_dim;
    const auto q_scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(dim)));
    Convolve(conv_state, t, n, key_head * dim, dim, q_);
    Convolve(conv_state, t, n, (c_.config.key_heads + key_head) * dim, dim, k_);
    for (int64_t i = 0; i < n; ++i) {
      c_.kernels.l2_norm(q_ + i * dim, 1e-6f, q_scale, dim, q_ + i * dim);
      c_.kernels.l2_norm(k_ + i * dim, 1e-6f, 1.0f, dim, k_ + i * dim);
    }
  }

  void MakeValues(const float* conv_state, int64_t t, int64_t n, int head) const {
    const ModelConfig& m = c_.config;
    const int64_t keys = 2 * int64_t{m.key_heads} * m.key_dim;
    Convolve(conv_state, t, n, keys + int64_t{head} * m.value_dim, m.value_dim, v_);
    for (int64_t i = 0; i < n; ++i) {
      g_[i] = w_.neg_a[head] * Softplus(Row(t + i)[at_.a + head] + w_.dt_bias[head]);
      beta_[i] = Sigmoid(Row(t + i)[at_.b + head]);
    }
  }

  // n tokens, one or a chunk of them; outputs take the place of v.
  void Advance(float* layer_state, int64_t n, int head) const {
    const int64_t key_dim = c_.config.key_dim, value_dim = c_.config.value_dim;
    float* state = layer_state + head * value_dim * key_dim;
    if (n == 1) {
      c_.kernels.delta_step({.state = state,
                             .q = q_,
                             .k = k_,
                             .v = v_,
                             .decay = std::exp(g_[0]),
                             .beta = beta_[0],
                             .key_dim = key_dim,
                             .value_dim = value_dim,
                             .out = v_});
    } else {
      c_.kernels.delta_chunk({.state = state,
                              .q = q_,
                              .k = k_,
                              .v = v_,
                              .g = g_,
                              .beta = beta_,
                              .tokens = n,
                              .key_dim = key_dim,
                              .value_dim = value_dim,
                              .scratch = scratch_});
    }
  }

  void Finish(int64_t t, int64_t n, int head) const {
    const int64_t dim = c_.config.value_dim;
    for (int64_t i = 0; i < n; ++i) {
      float* out = c_.work.heads_out.data() + (c_.row + t + i) * at_.values + head * dim;
      if (i + kAhead < n) {
        Prefetch(Row(t + i + kAhead) + at_.z + head * dim, dim);
        Prefetch(out + kAhead * at_.values, dim);
      }
      c_.kernels.rms_norm(v_ + i * dim, w_.norm, c_.config.rms_eps, dim, out);
      c_.kernels.silu_scale(Row(t + i) + at_.z + head * dim, dim, out);
    }
  }

  const LayerContext& c_;
  const DeltaNetWeights& w_;
  const Layout& at_;
  float *q_, *k_, *v_, *g_, *beta_, *scratch_;  // DeltaLaneFloats
};

// Everything between the projections, for one sequence.
void MixPart(const LayerContext& c, const DeltaNetWeights& w, const Layout& at,
             SequenceState& state) {
  const ModelConfig& m = c.config;
  const int heads = m.value_heads / m.key_heads;  // of a key head
  const int64_t threads = c.pool.threads();
  // Together they share their keys, where that leaves each thread enough to do.
  const int together = m.key_heads >= 4 * threads ? heads : 1;
  const int64_t items = int64_t{m.key_heads} * heads / together;
  const int64_t lanes = std::min(threads, items);
  c.pool.ParallelFor(lanes, 1, [&](int64_t begin, int64_t end) {
    for (int64_t lane = begin; lane < end; ++lane) {
      const HeadsSweep sweep(c, w, at, c.work.delta_scratch.data() + lane * DeltaLaneFloats(m));
      for (int64_t item = lane; item < items; item += lanes) {
        const int64_t first = item * together;  // value head, ordered by key head
        sweep.Run(state, static_cast<int>(first / heads), static_cast<int>(first % heads),
                  together);
      }
    }
  });
  SaveConvInputs(c, at, state.conv(c.layer));
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
  c.KeepReading();

  for (const SequencePart& part : c.parts) MixPart(c.Of(part), w, at, *part.state);
  c.KeepReading();

  const std::array out_type = {w.out.type};
  const Activations& heads =
      c.work.inner.Set(c.kernels, c.pool, c.work.heads_out.data(), c.tokens, at.values, out_type);
  const std::array out = {Projection{w.out, c.mixed(), m.hidden}};
  Project(c.kernels, c.pool, heads, out);
}

}  // namespace flashmoe
