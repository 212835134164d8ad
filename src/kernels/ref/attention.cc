#include <algorithm>
#include <cstring>

#include "kernels/ref/scalar.h"
#include "tensor/half.h"

namespace flashmoe::ref {
namespace {

// Head dimensions are taken this many at a time, so that buffers have a fixed size.
constexpr int64_t kTile = 64;

int64_t ElementBytes(KvType type) { return type == KvType::kF32 ? 4 : 2; }

// Elements [begin, begin + n) of a cached vector.
void LoadKv(const std::byte* vector, KvType type, int64_t begin, int64_t n, float* out) {
  const std::byte* data = vector + begin * ElementBytes(type);
  if (type == KvType::kF32) {
    std::memcpy(out, data, static_cast<size_t>(n) * sizeof(float));
    return;
  }
  for (int64_t i = 0; i < n; ++i) {
    uint16_t half;
    std::memcpy(&half, data + 2 * i, sizeof(half));
    out[i] = F16ToF32(half);
  }
}

float ScoreOf(const AttentionHead& head, int64_t position) {
  const std::byte* k = head.k + position * head.stride_bytes;
  float tile[kTile];
  float score = 0.0f;
  for (int64_t begin = 0; begin < head.head_dim; begin += kTile) {
    const int64_t n = std::min(kTile, head.head_dim - begin);
    LoadKv(k, head.kv_type, begin, n, tile);
    score += Dot(head.q + begin, tile, n);
  }
  return score * head.scale;
}

// out[begin ..] = sum over positions of score * value. In double: contexts are long, and the
// reference should not be what rounds.
void SumValues(const AttentionHead& head, int64_t begin, int64_t n) {
  double sum[kTile] = {};
  float tile[kTile];
  for (int64_t position = 0; position < head.length; ++position) {
    LoadKv(head.v + position * head.stride_bytes, head.kv_type, begin, n, tile);
    const double weight = static_cast<double>(head.scores[position]);
    for (int64_t i = 0; i < n; ++i) sum[i] += weight * static_cast<double>(tile[i]);
  }
  for (int64_t i = 0; i < n; ++i) head.out[begin + i] = static_cast<float>(sum[i]);
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
  for (int64_t i = 0; i < n; ++i) {
    const uint16_t half = F32ToF16(x[i]);
    std::memcpy(out + 2 * i, &half, sizeof(half));
  }
}

void Attention(const AttentionHead& head) {
  for (int64_t p = 0; p < head.length; ++p) head.scores[p] = ScoreOf(head, p);
  Softmax(head.scores, head.length);
  for (int64_t begin = 0; begin < head.head_dim; begin += kTile) {
    SumValues(head, begin, std::min(kTile, head.head_dim - begin));
  }
}

}  // namespace flashmoe::ref
