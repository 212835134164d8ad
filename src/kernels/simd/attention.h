// One query head over its cache. Each score and each output element has an order of its own that
// does not depend on how positions are grouped.
#pragma once

#include "kernels/kernels.h"
#include "kernels/simd/elementwise.h"

namespace flashmoe::FM_ISA {

// Vectors of a cache entry of `dim` elements; the last one may be incomplete.
struct CacheF32 {
  static Vec At(const std::byte* p, int64_t i) {
    return Load(reinterpret_cast<const float*>(p) + i);
  }
  static Vec RestAt(const std::byte* p, int64_t i, int64_t n) {
    return LoadPart(reinterpret_cast<const float*>(p) + i, n);
  }
};
struct CacheF16 {
  static Vec At(const std::byte* p, int64_t i) { return LoadF16(p + 2 * i); }
  static Vec RestAt(const std::byte* p, int64_t i, int64_t n) {
    uint16_t rest[kLanes] = {};
    __builtin_memcpy(rest, p + 2 * i, static_cast<size_t>(n) * sizeof(uint16_t));
    return LoadF16(rest);
  }
};

template <class Cache, int kPositions>
static inline void Scores(const AttentionHead& a, int64_t p) {
  const std::byte* k = a.k + p * a.stride_bytes;
  Vec sums[kPositions][2];
  for (auto& sum : sums) sum[0] = sum[1] = Zero();
  int64_t i = 0;
  for (; i + 2 * kLanes <= a.head_dim; i += 2 * kLanes) {
    const Vec q0 = Load(a.q + i), q1 = Load(a.q + i + kLanes);
    for (int j = 0; j < kPositions; ++j) {
      sums[j][0] = Fma(q0, Cache::At(k + j * a.stride_bytes, i), sums[j][0]);
      sums[j][1] = Fma(q1, Cache::At(k + j * a.stride_bytes, i + kLanes), sums[j][1]);
    }
  }
  for (; i < a.head_dim; i += kLanes) {
    const int64_t n = a.head_dim - i;
    for (int j = 0; j < kPositions; ++j) {
      const std::byte* entry = k + j * a.stride_bytes;
      const Vec q = n < kLanes ? LoadPart(a.q + i, n) : Load(a.q + i);
      const Vec v = n < kLanes ? Cache::RestAt(entry, i, n) : Cache::At(entry, i);
      sums[j][0] = Fma(q, v, sums[j][0]);
    }
  }
  for (int j = 0; j < kPositions; ++j) a.scores[p + j] = Sum(sums[j][0] + sums[j][1]) * a.scale;
}

// out[i ..] for kVectors vectors: the sum of scores times values, position by position.
template <class Cache, int kVectors>
static inline void WeightedSum(const AttentionHead& a, int64_t i) {
  Vec sums[kVectors];
  for (Vec& sum : sums) sum = Zero();
  const std::byte* v = a.v;
  for (int64_t p = 0; p < a.length; ++p, v += a.stride_bytes) {
    const Vec score = Set(a.scores[p]);
    for (int j = 0; j < kVectors; ++j) {
      sums[j] = Fma(score, Cache::At(v, i + j * kLanes), sums[j]);
    }
  }
  for (int j = 0; j < kVectors; ++j) Store(a.out + i + j * kLanes, sums[j]);
}

template <class Cache>
static inline void WeightedSumRest(const AttentionHead& a, int64_t i) {
  const int64_t n = a.head_dim - i;
  Vec sum = Zero();
  for (int64_t p = 0; p < a.length; ++p) {
    sum = Fma(Set(a.scores[p]), Cache::RestAt(a.v + p * a.stride_bytes, i, n), sum);
  }
  StorePart(a.out + i, sum, n);
}

template <class Cache>
static void AttentionOver(const AttentionHead& a) {
  int64_t p = 0;
  for (; p + 4 <= a.length; p += 4) Scores<Cache, 4>(a, p);
  for (; p < a.length; ++p) Scores<Cache, 1>(a, p);
  Softmax(a.scores, a.length);

  int64_t i = 0;
  for (; i + 8 * kLanes <= a.head_dim; i += 8 * kLanes) WeightedSum<Cache, 8>(a, i);
  for (; i + 4 * kLanes <= a.head_dim; i += 4 * kLanes) WeightedSum<Cache, 4>(a, i);
  for (; i + kLanes <= a.head_dim; i += kLanes) WeightedSum<Cache, 1>(a, i);
  if (i < a.head_dim) WeightedSumRest<Cache>(a, i);
}

static void Attention(const AttentionHead& a) {
  a.kv_type == KvType::kF16 ? AttentionOver<CacheF16>(a) : AttentionOver<CacheF32>(a);
}

}  // namespace flashmoe::FM_ISA
