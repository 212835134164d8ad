#include <algorithm>
#include <cstring>

#include "kernels/ref/scalar.h"
#include "tensor/half.h"

namespace flashmoe::ref {
namespace {

// Head dimensions are taken this many at a time, so that buffers have a fixed size.
constexpr int64_t kTile = 64;

// Elements [begin, begin + n) of a cached vector; whole blocks.
void LoadKv(const std::byte* vector, KvType type, int64_t begin, int64_t n, float* out) {
  const std::byte* data = vector + KvBytes(type, begin);
  if (type == KvType::kF32) {
    std::memcpy(out, data, static_cast<size_t>(n) * sizeof(float));
    return;
  }
  if (type == KvType::kQ8) {
    for (int64_t i = 0; i < n; ++i) {
      const std::byte* block = data + i / kKvBlock * kKvBlockBytes;
      float scale;
      std::memcpy(&scale, block, sizeof(scale));
      const auto q = static_cast<int8_t>(block[sizeof(scale) + static_cast<size_t>(i % kKvBlock)]);
      out[i] = scale * static_cast<float>(q);
    }
    return;
  }
  for (int64_t i = 0; i < n; ++i) {
    uint16_t half;
    std::memcpy(&half, data + 2 * i, sizeof(half));
    out[i] = F16ToF32(half);
  }
}

// One query over `length` positions.
struct Row {
  const AttentionBlock& block;
  const float* q;
  int64_t length;
  float* out;
};

float ScoreOf(const Row& row, int64_t position) {
  const AttentionBlock& a = row.block;
  const std::byte* k = a.k + position * a.stride_bytes;
  float tile[kTile];
  float score = 0.0f;
  for (int64_t begin = 0; begin < a.head_dim; begin += kTile) {
    const int64_t n = std::min(kTile, a.head_dim - begin);
    LoadKv(k, a.kv_type, begin, n, tile);
    score += Dot(row.q + begin, tile, n);
  }
  return score * a.scale;
}

// out[begin ..] = sum over positions of score * value. In double: contexts are long, and the
// reference should not be what rounds.
void SumValues(const Row& row, const float* scores, int64_t begin, int64_t n) {
  const AttentionBlock& a = row.block;
  double sum[kTile] = {};
  float tile[kTile];
  for (int64_t position = 0; position < row.length; ++position) {
    LoadKv(a.v + position * a.stride_bytes, a.kv_type, begin, n, tile);
    const double weight = static_cast<double>(scores[position]);
    for (int64_t i = 0; i < n; ++i) sum[i] += weight * static_cast<double>(tile[i]);
  }
  for (int64_t i = 0; i < n; ++i) row.out[begin + i] = static_cast<float>(sum[i]);
}

void AttendRow(const Row& row) {
  const AttentionBlock& a = row.block;
  for (int64_t p = 0; p < row.length; ++p) a.scratch[p] = ScoreOf(row, p);
  Softmax(a.scratch, row.length);
  for (int64_t begin = 0; begin < a.head_dim; begin += kTile) {
    SumValues(row, a.scratch, begin, std::min(kTile, a.head_dim - begin));
  }
}

}  // namespace

void Rope(float* x, const float* cosines, const float* sines, int64_t half) {
  for (int64_t i = 0; i < half; ++i) {
    const float a = x[i];
    const float b = x[i + half];
    x[i] = a * cosines[i] - b * sines[i];
    x[i + half] = b * cosines[i] + a * sines[i];
  }
}

void StoreKv(const float* x, int64_t n, KvType type, std::byte* out) {
  if (type == KvType::kF32) {
    std::memcpy(out, x, static_cast<size_t>(n) * sizeof(float));
    return;
  }
  if (type == KvType::kQ8) {
    for (int64_t i = 0; i < n; i += kKvBlock) {
      int8_t q[kKvBlock];
      float scale;
      int16_t sums[2];
      QuantizeQ8(x + i, 1, kKvBlock, q, &scale, sums);
      std::byte* block = out + KvBytes(type, i);
      std::memcpy(block, &scale, sizeof(scale));
      std::memcpy(block + sizeof(scale), q, sizeof(q));
    }
    return;
  }
  for (int64_t i = 0; i < n; ++i) {
    const uint16_t half = F32ToF16(x[i]);
    std::memcpy(out + 2 * i, &half, sizeof(half));
  }
}

void Attention(const AttentionBlock& a) {
  for (int64_t t = 0; t < a.tokens; ++t) {
    for (int64_t h = 0; h < a.heads; ++h) {
      AttendRow({a, a.q + t * a.q_token_stride + h * a.q_head_stride, a.length + t,
                 a.out + t * a.out_token_stride + h * a.out_head_stride});
    }
  }
}

}  // namespace flashmoe::ref
