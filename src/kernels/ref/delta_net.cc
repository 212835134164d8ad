// The gated delta rule, one token at a time and as chunks of tokens.
//
// A chunk solves for all its updates d_i at once. With G_i the sum of g up to token i, S the state
// before the chunk and D_ij = e^(G_i - G_j):
//   d_i = beta_i (v_i - e^(G_i) S k_i) - sum over j < i of A_ij d_j,   A_ij = beta_i (k_i . k_j)
//   D_ij o_i = e^(G_i) S q_i + sum over j <= i of P_ij d_j,                 P_ij = (q_i . k_j) D_ij
//   S  <- e^(G_n) S + sum over i of e^(G_n - G_i) d_i k_i^T
// A and P belong to all rows of S; given them, the rows are independent of each other.
#include <cmath>

#include "kernels/ref/scalar.h"

namespace flashmoe::ref {
namespace {

// G in double, since differences of large sums are exponentiated. Below e^-1000 a decay is zero in
// either precision; the bound keeps infinite g from making differences undefined.
void SumLogDecays(const DeltaChunk& args, double* sums) {
  constexpr double kZeroDecay = -1000.0;
  double sum = 0.0;
  for (int64_t i = 0; i < args.tokens; ++i) {
    const double g = static_cast<double>(args.g[i * args.gate_stride]);
    sum += g < kZeroDecay ? kZeroDecay : g;
    sums[i] = sum;
  }
}

float Exp(double x) { return static_cast<float>(std::exp(x)); }

// A (below the diagonal) and P (with it), both [tokens, kDeltaChunk].
void PairTokens(const DeltaChunk& args, const double* sums, float* a, float* p) {
  for (int64_t i = 0; i < args.tokens; ++i) {
    const float* q = args.q + i * args.qk_stride;
    const float* k = args.k + i * args.qk_stride;
    const float beta = args.beta[i * args.gate_stride];
    for (int64_t j = 0; j <= i; ++j) {
      const float* earlier = args.k + j * args.qk_stride;
      const float decay = Exp(sums[i] - sums[j]);
      p[i * kDeltaChunk + j] = Dot(q, earlier, args.key_dim) * decay;
      a[i * kDeltaChunk + j] = beta * Dot(k, earlier, args.key_dim) * decay;
    }
  }
}

// Everything about value element `j`: its row of the state and its column of v and out.
void AdvanceRow(const DeltaChunk& args, const double* sums, const float* a, const float* p,
                int64_t j) {
  float* row = args.state + j * args.key_dim;
  float d[kDeltaChunk];
  for (int64_t i = 0; i < args.tokens; ++i) {
    const float* q = args.q + i * args.qk_stride;
    const float* k = args.k + i * args.qk_stride;
    const float decay = Exp(sums[i]);
    const float error = args.v[i * args.v_stride + j] - decay * Dot(row, k, args.key_dim);
    d[i] = args.beta[i * args.gate_stride] * error - Dot(a + i * kDeltaChunk, d, i);
    args.out[i * args.out_stride + j] =
        decay * Dot(row, q, args.key_dim) + Dot(p + i * kDeltaChunk, d, i + 1);
  }
  const double last = sums[args.tokens - 1];
  const float decay = Exp(last);
  for (int64_t c = 0; c < args.key_dim; ++c) row[c] *= decay;
  for (int64_t i = 0; i < args.tokens; ++i) {
    Axpy(Exp(last - sums[i]) * d[i], args.k + i * args.qk_stride, args.key_dim, row);
  }
}

}  // namespace

void StepDelta(const DeltaStep& args) {
  for (int64_t j = 0; j < args.value_dim; ++j) {
    float* row = args.state + j * args.key_dim;
    for (int64_t c = 0; c < args.key_dim; ++c) row[c] *= args.decay;
    const float d = args.beta * (args.v[j] - Dot(row, args.k, args.key_dim));
    Axpy(d, args.k, args.key_dim, row);
    args.out[j] = Dot(row, args.q, args.key_dim);
  }
}

void ChunkDelta(const DeltaChunk& args) {
  if (args.tokens <= 0) return;
  double sums[kDeltaChunk];
  float* a = args.scratch;
  float* p = args.scratch + kDeltaChunk * kDeltaChunk;
  SumLogDecays(args, sums);
  PairTokens(args, sums, a, p);
  for (int64_t j = 0; j < args.value_dim; ++j) AdvanceRow(args, sums, a, p, j);
}

}  // namespace flashmoe::ref
