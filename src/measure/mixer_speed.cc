#include "measure/mixer_speed.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/clock.h"
#include "synth/random.h"

namespace flashmoe {
namespace {

constexpr int64_t kPositions = 1024;
constexpr double kMeasure_s = 0.02;

std::vector<float> RandomFloats(int64_t n) {
  Random random(3);
  std::vector<float> x(static_cast<size_t>(n));
  for (float& value : x) value = static_cast<float>(0.05 * random.Normal());
  return x;
}

// The least time that fn(thread) takes on all threads together.
template <typename Fn>
double BestSeconds(ThreadPool& pool, const Fn& fn) {
  double best_s = 1e9;
  const double begin_s = NowSeconds();
  for (int round = 0; round < 2 || NowSeconds() - begin_s < kMeasure_s; ++round) {
    const double start_s = NowSeconds();
    pool.ParallelFor(pool.threads(), 1, [&](int64_t thread, int64_t) { fn(thread); });
    best_s = std::min(best_s, NowSeconds() - start_s);
  }
  return best_s;
}

double MeasureAttention(const ModelConfig& c, const KernelTable& kernels, ThreadPool& pool) {
  AttentionBlock block;
  block.heads = std::min<int64_t>(c.heads / c.kv_heads, kAttentionRows);
  block.tokens = kAttentionRows / block.heads;
  block.length = kPositions - block.tokens + 1;
  block.head_dim = c.head_dim;
  block.scale = 1.0f / std::sqrt(static_cast<float>(c.head_dim));
  block.stride_bytes = 2 * c.head_dim;
  block.q_head_stride = block.out_head_stride = c.head_dim;
  block.q_token_stride = block.out_token_stride = block.heads * c.head_dim;
  const std::vector<float> q = RandomFloats(block.tokens * block.q_token_stride);
  const std::vector<std::byte> cache(static_cast<size_t>(kPositions * block.stride_bytes),
                                     std::byte{0x2c});
  block.q = q.data();
  block.k = block.v = cache.data();
  const int64_t scratch = AttentionScratch(c.head_dim, kPositions);
  std::vector<float> scratches(static_cast<size_t>(pool.threads() * scratch));
  std::vector<float> out(q.size() * static_cast<size_t>(pool.threads()));
  const double seconds = BestSeconds(pool, [&](int64_t thread) {
    AttentionBlock own = block;
    own.scratch = scratches.data() + thread * scratch;
    own.out = out.data() + thread * static_cast<int64_t>(q.size());
    kernels.attention(own);
  });
  return static_cast<double>(pool.threads() * block.tokens * block.heads * kPositions) / seconds;
}

double MeasureDelta(const ModelConfig& c, const KernelTable& kernels, ThreadPool& pool) {
  const int64_t values = kDeltaChunk * c.value_dim;
  const int64_t state = int64_t{c.key_dim} * c.value_dim;
  const std::vector<float> k = RandomFloats(kDeltaChunk * c.key_dim), q = k;
  const std::vector<float> v = RandomFloats(values);
  const std::vector<float> g(kDeltaChunk, -0.1f), beta(kDeltaChunk, 0.5f);
  const int64_t own = state + values + DeltaChunkScratch(c.key_dim);  // floats of a thread
  std::vector<float> floats(static_cast<size_t>(pool.threads() * own));
  const double seconds = BestSeconds(pool, [&](int64_t thread) {
    DeltaChunk chunk;
    chunk.state = floats.data() + thread * own;
    chunk.q = q.data();
    chunk.k = k.data();
    chunk.v = chunk.state + state;
    std::copy(v.begin(), v.end(), chunk.v);
    chunk.g = g.data();
    chunk.beta = beta.data();
    chunk.tokens = kDeltaChunk;
    chunk.key_dim = c.key_dim;
    chunk.value_dim = c.value_dim;
    chunk.scratch = chunk.v + values;
    kernels.delta_chunk(chunk);
  });
  return static_cast<double>(pool.threads() * kDeltaChunk) / seconds;
}

}  // namespace

double MixerSpeed::PrefillSeconds(const ModelConfig& c, double positions) const {
  const auto count = [&](LayerKind kind) { return static_cast<double>(c.CountLayers(kind)); };
  double seconds = 0;
  if (attended_per_s > 0) {
    seconds += count(LayerKind::kAttention) * c.heads * positions / attended_per_s;
  }
  if (delta_per_s > 0) seconds += count(LayerKind::kDeltaNet) * c.value_heads / delta_per_s;
  return seconds;
}

MixerSpeed MeasureMixers(const ModelConfig& c, const KernelTable& kernels, ThreadPool& pool) {
  MixerSpeed speed;
  if (c.CountLayers(LayerKind::kAttention) > 0) {
    speed.attended_per_s = MeasureAttention(c, kernels, pool);
  }
  if (c.CountLayers(LayerKind::kDeltaNet) > 0) speed.delta_per_s = MeasureDelta(c, kernels, pool);
  return speed;
}

}  // namespace flashmoe
