// Attention with online softmax (Milakov & Gimelshein 2018, arXiv:1805.02867; Dao et al. 2022,
// arXiv:2205.14135). Positions are taken 32 at a time: their keys are transposed and their values
// widened once for all queries of the block. A query's sums depend on where these 32 begin and on
// nothing else, so that a token alone gets the bits that it gets in a prompt.
#pragma once

#include "kernels/kernels.h"
#include "kernels/simd/elementwise.h"
#include "kernels/simd/transpose.h"

namespace flashmoe::FM_ISA {

// Vectors of a cache entry; the last one may be incomplete.
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

struct CacheQ8 {
  static Vec At(const std::byte* p, int64_t i) {
    const std::byte* block = p + i / kKvBlock * kKvBlockBytes;
    float scale;
    __builtin_memcpy(&scale, block, sizeof(scale));
    return Set(scale) * LoadI8(block + sizeof(scale) + i % kKvBlock);
  }
  // Vectors are complete: entries are whole blocks.
  static Vec RestAt(const std::byte*, int64_t, int64_t) { return Zero(); }
};

// A tile of products is kRows rows by two vectors.
constexpr int kTileLanes = 2 * kLanes;
static_assert(kAttentionPositions % kTileLanes == 0);

// Up to kAttentionPositions positions, as the products want them.
struct Positions {
  int64_t begin = 0;
  int64_t width = 0;        // of a row of values: head_dim in whole tiles
  float* keys = nullptr;    // [kAttentionPositions / kLanes, head_dim, kLanes], zero where empty
  float* values = nullptr;  // [kAttentionPositions, width], zero beyond head_dim
};

template <class Cache>
static inline void Widen(const std::byte* entries, int64_t stride_bytes, int64_t count, int64_t dim,
                         int64_t width, float* rows) {
  for (int64_t p = 0; p < count; ++p) {
    const std::byte* entry = entries + p * stride_bytes;
    float* row = rows + p * width;
    int64_t i = 0;
    for (; i + kLanes <= dim; i += kLanes) Store(row + i, Cache::At(entry, i));
    if (i < dim) {
      Store(row + i, Cache::RestAt(entry, i, dim - i));
      i += kLanes;
    }
    for (; i < width; i += kLanes) Store(row + i, Zero());
  }
}

template <class Cache>
static void LoadPositions(const AttentionBlock& a, int64_t count, const Positions& to) {
  const int64_t first = to.begin * a.stride_bytes;
  // The keys pass through the place of the values.
  Widen<Cache>(a.k + first, a.stride_bytes, count, a.head_dim, to.width, to.values);
  for (int64_t i = count * to.width; i < kAttentionPositions * to.width; i += kLanes) {
    Store(to.values + i, Zero());
  }
  const int64_t row_bytes = to.width * static_cast<int64_t>(sizeof(float));
  for (int64_t p = 0; p < kAttentionPositions; p += kLanes) {
    TransposeRows(to.values + p * to.width, row_bytes, static_cast<int>(a.head_dim / 4),
                  to.keys + p * a.head_dim);
  }
  Widen<Cache>(a.v + first, a.stride_bytes, count, a.head_dim, to.width, to.values);
}

// tile[r] += the sum over i < n, in order, of a[r][i] times the vectors at b0 and b1 + i * stride.
template <int kRows>
static inline void AddProducts(const float* const* a, const float* b0, const float* b1,
                               int64_t stride, int64_t n, Vec (&tile)[kRows][2]) {
  for (int64_t i = 0; i < n; ++i) {
    const Vec x0 = Load(b0 + i * stride), x1 = Load(b1 + i * stride);
    for (int r = 0; r < kRows; ++r) {
      const Vec factor = Set(a[r][i]);
      tile[r][0] = Fma(factor, x0, tile[r][0]);
      tile[r][1] = Fma(factor, x1, tile[r][1]);
    }
  }
}

static inline Vec LoadUpTo(const float* p, int64_t n) {
  if (n >= kLanes) return Load(p);
  return n > 0 ? LoadPart(p, n) : Zero();
}
static inline void StoreUpTo(float* p, Vec a, int64_t n) {
  if (n >= kLanes) {
    Store(p, a);
  } else if (n > 0) {
    StorePart(p, a, n);
  }
}

// What a query has seen so far: the largest score, and by lane the sum of e^(score - largest).
struct Seen {
  float* largest;  // [rows]
  float* sums;     // [rows, kLanes]
};

// Scores, of which the first `count` are of visible positions, to weights relative to the largest
// so far. keep[r]: by what earlier sums of row r shrink.
template <int kRows>
static inline void Soften(float (&scores)[kRows][kAttentionPositions], int64_t count, Seen seen,
                          float (&keep)[kLanes]) {
  static_assert(kRows <= kLanes);
  for (int r = 0; r < kRows; ++r) {
    float* row = scores[r];
    for (int64_t i = count; i < kAttentionPositions; ++i) row[i] = -__builtin_inff();
    Vec largest = Load(row);
    for (int64_t i = kLanes; i < kAttentionPositions; i += kLanes) {
      largest = Max(largest, Load(row + i));
    }
    const float before = seen.largest[r], here = MaxLane(largest);
    seen.largest[r] = here > before ? here : before;
    keep[r] = before - seen.largest[r];
  }
  for (int r = kRows; r < kLanes; ++r) keep[r] = 0.0f;
  Store(keep, Exp(Load(keep)));
  for (int r = 0; r < kRows; ++r) {
    const Vec largest = Set(seen.largest[r]);
    float* sums = seen.sums + r * kLanes;
    Vec sum = Set(keep[r]) * Load(sums);
    for (int64_t i = 0; i < kAttentionPositions; i += kLanes) {
      const Vec weight = Exp(Load(scores[r] + i) - largest);
      Store(scores[r] + i, weight);
      sum = sum + weight;
    }
    Store(sums, sum);
  }
}

// kRows heads of token t, from head h on, over the first `count` of these positions.
template <int kRows>
static inline void AttendRows(const AttentionBlock& a, const Positions& at, int64_t count,
                              int64_t t, int64_t h, Seen seen) {
  const float* q[kRows];
  float* out[kRows];
  for (int r = 0; r < kRows; ++r) {
    q[r] = a.q + t * a.q_token_stride + (h + r) * a.q_head_stride;
    out[r] = a.out + t * a.out_token_stride + (h + r) * a.out_head_stride;
  }

  float weights[kRows][kAttentionPositions];
  for (int64_t p = 0; p < kAttentionPositions; p += kTileLanes) {
    Vec tile[kRows][2];
    for (auto& row : tile) row[0] = row[1] = Zero();
    const float* keys = at.keys + p * a.head_dim;
    AddProducts<kRows>(q, keys, keys + kLanes * a.head_dim, kLanes, a.head_dim, tile);
    const Vec scale = Set(a.scale);
    for (int r = 0; r < kRows; ++r) {
      Store(weights[r] + p, tile[r][0] * scale);
      Store(weights[r] + p + kLanes, tile[r][1] * scale);
    }
  }
  float keep[kLanes];
  Soften<kRows>(weights, count, seen, keep);

  const float* factors[kRows];
  for (int r = 0; r < kRows; ++r) factors[r] = weights[r];
  for (int64_t i = 0; i < a.head_dim; i += kTileLanes) {
    const int64_t n = a.head_dim - i;
    Vec tile[kRows][2];
    for (int r = 0; r < kRows; ++r) {
      if (at.begin == 0) {
        tile[r][0] = tile[r][1] = Zero();
      } else {
        tile[r][0] = Set(keep[r]) * LoadUpTo(out[r] + i, n);
        tile[r][1] = Set(keep[r]) * LoadUpTo(out[r] + i + kLanes, n - kLanes);
      }
    }
    AddProducts<kRows>(factors, at.values + i, at.values + i + kLanes, at.width, count, tile);
    for (int r = 0; r < kRows; ++r) {
      StoreUpTo(out[r] + i, tile[r][0], n);
      StoreUpTo(out[r] + i + kLanes, tile[r][1], n - kLanes);
    }
  }
}

static void AttendToken(const AttentionBlock& a, const Positions& at, int64_t count, int64_t t,
                        Seen seen) {
  constexpr int kMany = kLanes / 2;  // rows that a tile has registers for
  int64_t h = 0;
  const auto rest = [&] { return Seen{seen.largest + h, seen.sums + h * kLanes}; };
  for (; h + kMany <= a.heads; h += kMany) AttendRows<kMany>(a, at, count, t, h, rest());
  if constexpr (kMany > 4) {
    for (; h + 4 <= a.heads; h += 4) AttendRows<4>(a, at, count, t, h, rest());
  }
  for (; h < a.heads; ++h) AttendRows<1>(a, at, count, t, h, rest());
}

static void Attention(const AttentionBlock& a) {
  const int64_t rows = a.tokens * a.heads;
  Positions at;
  at.width = (a.head_dim + kTileLanes - 1) / kTileLanes * kTileLanes;
  at.keys = a.scratch;
  at.values = at.keys + kAttentionPositions * a.head_dim;
  const Seen seen = {at.values + kAttentionPositions * at.width,
                     at.values + kAttentionPositions * at.width + rows};
  for (int64_t r = 0; r < rows; ++r) seen.largest[r] = -__builtin_inff();
  for (int64_t r = 0; r < rows; ++r) Store(seen.sums + r * kLanes, Zero());

  const int64_t length = a.length + a.tokens - 1;
  for (; at.begin < length; at.begin += kAttentionPositions) {
    const int64_t left = length - at.begin;
    const int64_t count = left < kAttentionPositions ? left : kAttentionPositions;
    const auto load = a.kv_type == KvType::kF16  ? LoadPositions<CacheF16>
                      : a.kv_type == KvType::kQ8 ? LoadPositions<CacheQ8>
                                                 : LoadPositions<CacheF32>;
    load(a, count, at);
    // Tokens that see none of these positions have ended before.
    const int64_t blind = at.begin - a.length + 1;
    for (int64_t t = blind > 0 ? blind : 0; t < a.tokens; ++t) {
      const int64_t visible = a.length + t - at.begin;
      AttendToken(a, at, visible < count ? visible : count, t,
                  {seen.largest + t * a.heads, seen.sums + t * a.heads * kLanes});
    }
  }

  for (int64_t r = 0; r < rows; ++r) {
    float* out = a.out + r / a.heads * a.out_token_stride + r % a.heads * a.out_head_stride;
    const Vec factor = Set(1.0f / Sum(Load(seen.sums + r * kLanes)));
    ForVectors(a.head_dim, [&](auto i) { i.Put(out, i.Get(out) * factor); });
  }
}

}  // namespace flashmoe::FM_ISA
