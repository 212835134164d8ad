// The gated delta rule. The rows of the transposed state do not depend on each other. One token
// takes them eight at a time, along the keys. Many tokens take as many as a vector has lanes, one a
// lane, so that nothing is summed across lanes; these rows stay in the first cache level (8 KB at
// 128 keys) while all tokens pass. That is bound by arithmetic, of which the chunked matrix form
// needs no less at 64 tokens.
#pragma once

#include "kernels/kernels.h"
#include "kernels/simd/elementwise.h"
#include "kernels/simd/transpose.h"

namespace flashmoe::FM_ISA {

constexpr int kStateRows = 8;

// One token through kStateRows rows of `state`; v and out are theirs.
static inline void DeltaRows(float* state, int64_t key_dim, const float* q, const float* k,
                             const float* v, float decay, float beta, float* out) {
  Vec sums[kStateRows];
  for (Vec& sum : sums) sum = Zero();
  ForVectors(key_dim, [&](auto at) {
    const Vec key = at.Get(k);
    for (int r = 0; r < kStateRows; ++r) sums[r] = Fma(at.Get(state + r * key_dim), key, sums[r]);
  });
  // delta = beta (v - decay S k)
  const __m256 expected = _mm256_mul_ps(_mm256_set1_ps(decay), Sums(sums));
  float delta[kStateRows];
  _mm256_storeu_ps(
      delta, _mm256_mul_ps(_mm256_set1_ps(beta), _mm256_sub_ps(_mm256_loadu_ps(v), expected)));
  const Vec keep = Set(decay);
  for (Vec& sum : sums) sum = Zero();
  ForVectors(key_dim, [&](auto at) {
    const Vec key = at.Get(k), query = at.Get(q);
    for (int r = 0; r < kStateRows; ++r) {
      float* row = state + r * key_dim;
      const Vec updated = Fma(Set(delta[r]), key, keep * at.Get(row));
      at.Put(row, updated);
      sums[r] = Fma(updated, query, sums[r]);
    }
  });
  _mm256_storeu_ps(out, Sums(sums));
}

static void DeltaOneStep(const DeltaStep& a) {
  for (int64_t r = 0; r < a.value_dim; r += kStateRows) {
    DeltaRows(a.state + r * a.key_dim, a.key_dim, a.q, a.k, a.v + r, a.decay, a.beta, a.out + r);
  }
}

// Sums of products along the keys: as many chains as keep the arithmetic busy.
struct KeySums {
  static constexpr int kChains = 4;
  Vec chains[kChains] = {Zero(), Zero(), Zero(), Zero()};

  Vec Total() const { return (chains[0] + chains[1]) + (chains[2] + chains[3]); }
};

// The products of the state's rows with a token's key and query.
struct StateProducts {
  KeySums k, q;
};

// All tokens through rows [r, r + kLanes) of the state. With S of before the token, its output
//   (decay S + delta k) q  is taken as  decay (S q) + delta (k q),
// so that the sweep that brings a token into the state also takes the next one's products with it.
static inline void DeltaLanes(const DeltaChunk& a, int64_t r, const float* decay, const float* kq,
                              float* columns) {
  float* rows = a.state + r * a.key_dim;
  TransposeRows(rows, a.key_dim * static_cast<int64_t>(sizeof(float)),
                static_cast<int>(a.key_dim / 4), columns);
  StateProducts next;
  for (int64_t i = 0; i < a.key_dim; i += KeySums::kChains) {
    for (int j = 0; j < KeySums::kChains; ++j) {
      const Vec state = Load(columns + (i + j) * kLanes);
      next.k.chains[j] = Fma(state, Set(a.k[i + j]), next.k.chains[j]);
      next.q.chains[j] = Fma(state, Set(a.q[i + j]), next.q.chains[j]);
    }
  }
  for (int64_t t = 0; t < a.tokens; ++t) {
    const Vec keep = Set(decay[t]);
    const Vec expected = keep * next.k.Total();
    float* place = a.v + t * a.value_dim + r;
    const Vec delta = Set(a.beta[t]) * (Load(place) - expected);
    Store(place, Fma(delta, Set(kq[t]), keep * next.q.Total()));

    const float* k = a.k + t * a.key_dim;
    const int64_t step = t + 1 < a.tokens ? a.key_dim : 0;  // after the last one comes nobody
    const float* next_k = k + step;
    const float* next_q = a.q + t * a.key_dim + step;
    next = {};
    for (int64_t i = 0; i < a.key_dim; i += KeySums::kChains) {
      for (int j = 0; j < KeySums::kChains; ++j) {
        float* at = columns + (i + j) * kLanes;
        const Vec state = Fma(delta, Set(k[i + j]), keep * Load(at));
        Store(at, state);
        next.k.chains[j] = Fma(state, Set(next_k[i + j]), next.k.chains[j]);
        next.q.chains[j] = Fma(state, Set(next_q[i + j]), next.q.chains[j]);
      }
    }
  }
  for (int64_t i = 0; i < a.key_dim; i += kLanes) {
    float square[kLanes][kLanes];
    TransposeRows(columns + i * kLanes, sizeof(square[0]), kLanes / 4, square);
    for (int row = 0; row < kLanes; ++row) Store(rows + row * a.key_dim + i, Load(square[row]));
  }
}

static void DeltaManySteps(const DeltaChunk& a) {
  // A vector that lies in two lines of the cache takes twice as long.
  constexpr uintptr_t kLineBytes = 64;
  const auto scratch = reinterpret_cast<uintptr_t>(a.scratch);
  float* columns = a.scratch + (-scratch % kLineBytes) / sizeof(float);
  float* decay = columns + a.key_dim * kLanes;
  float* kq = decay + kDeltaChunk;
  for (int64_t t = 0; t < a.tokens; ++t) {
    kq[t] = Dot(a.k + t * a.key_dim, a.q + t * a.key_dim, a.key_dim);
  }
  ForVectors(a.tokens, [&](auto at) { at.Put(decay, Exp(at.Get(a.g))); });
  int64_t r = 0;
  if (a.key_dim % kLanes == 0) {
    for (; r + kLanes <= a.value_dim; r += kLanes) DeltaLanes(a, r, decay, kq, columns);
  }
  for (; r < a.value_dim; r += kStateRows) {
    for (int64_t t = 0; t < a.tokens; ++t) {
      float* v = a.v + t * a.value_dim + r;
      DeltaRows(a.state + r * a.key_dim, a.key_dim, a.q + t * a.key_dim, a.k + t * a.key_dim, v,
                decay[t], a.beta[t], v);
    }
  }
}

}  // namespace flashmoe::FM_ISA
