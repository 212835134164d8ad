// The gated delta rule. The rows of the transposed state do not depend on each other, so eight of
// them (4 KB at 128 keys) stay in the first cache level while all tokens of a chunk pass: a chunk
// is then bound by arithmetic, of which the chunked matrix form needs no less at 64 tokens, and
// it equals its single steps bit for bit.
#pragma once

#include "kernels/kernels.h"
#include "kernels/simd/elementwise.h"

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

static void DeltaManySteps(const DeltaChunk& a) {
  float decay[kDeltaChunk];
  for (int64_t t = 0; t < a.tokens; ++t) decay[t] = a.g[t * a.gate_stride];
  ForVectors(a.tokens, [&](auto at) { at.Put(decay, Exp(at.Get(decay))); });
  for (int64_t r = 0; r < a.value_dim; r += kStateRows) {
    for (int64_t t = 0; t < a.tokens; ++t) {
      DeltaRows(a.state + r * a.key_dim, a.key_dim, a.q + t * a.qk_stride, a.k + t * a.qk_stride,
                a.v + t * a.v_stride + r, decay[t], a.beta[t * a.gate_stride],
                a.out + t * a.out_stride + r);
    }
  }
}

}  // namespace flashmoe::FM_ISA
