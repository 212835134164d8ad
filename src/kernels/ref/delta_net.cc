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

// What all rows of the state share.
struct ChunkTerms {
  double sums[kDeltaChunk];   // G
  float decay[kDeltaChunk];   // e^(G_i)
  float to_end[kDeltaChunk];  // e^(G_n - G_i)
  float* a;                   // [tokens, kDeltaChunk], below the diagonal
  float* p;                   // [tokens, kDeltaChunk], with it
};

float Exp(double x) { return static_cast<float>(std::exp(x)); }

// G in double, since differences of large sums are exponentiated. Below e^-1000 a decay is zero in
// either precision; the bound keeps infinite g from making differences undefined.
void SumDecays(const DeltaChunk& args, ChunkTerms* terms) {
  constexpr double kZeroDecay = -1000.0;
  double sum = 0.0;
  for (int64_t i = 0; i < args.tokens; ++i) {
    const double g = static_cast<double>(args.g[i]);
    sum += g < kZeroDecay ? kZeroDecay : g;
    terms->sums[i] = sum;
    terms->decay[i] = Exp(sum);
  }
  for (int64_t i = 0; i < args.tokens; ++i) terms->to_end[i] = Exp(sum - terms->sums[i]);
}

void PairTokens(const DeltaChunk& args, ChunkTerms* terms) {
  for (int64_t i = 0; i < args.tokens; ++i) {
    const float* q = args.q + i * args.key_dim;
    const float* k = args.k + i * args.key_dim;
    const float beta = args.beta[i];
    for (int64_t j = 0; j <= i; ++j) {
      const float* earlier = args.k + j * args.key_dim;
      const float decay = Exp(terms->sums[i] - terms->sums[j]);
      terms->p[i * kDeltaChunk + j] = Dot(q, earlier, args.key_dim) * decay;
      terms->a[i * kDeltaChunk + j] = beta * Dot(k, earlier, args.key_dim) * decay;
    }
  }
}

// Everything about value element `j`: its row of the state and its column of v.
void AdvanceRow(const DeltaChunk& args, const ChunkTerms& terms, int64_t j) {
  float* row = args.state + j * args.key_dim;
  float d[kDeltaChunk];
  for (int64_t i = 0; i < args.tokens; ++i) {
    const float* q = args.q + i * args.key_dim;
    const float* k = args.k + i * args.key_dim;
    const float recalled = terms.decay[i] * Dot(row, k, args.key_dim);
    float& place = args.v[i * args.value_dim + j];
    const float update = args.beta[i] * (place - recalled);
    d[i] = update - Dot(terms.a + i * kDeltaChunk, d, i);
    place = terms.decay[i] * Dot(row, q, args.key_dim) + Dot(terms.p + i * kDeltaChunk, d, i + 1);
  }
  const float decay = terms.decay[args.tokens - 1];
  for (int64_t c = 0; c < args.key_dim; ++c) row[c] *= decay;
  for (int64_t i = 0; i < args.tokens; ++i) {
    Axpy(terms.to_end[i] * d[i], args.k + i * args.key_dim, args.key_dim, row);
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
  ChunkTerms terms;
  terms.a = args.scratch;
  terms.p = args.scratch + kDeltaChunk * kDeltaChunk;
  SumDecays(args, &terms);
  PairTokens(args, &terms);
  for (int64_t j = 0; j < args.value_dim; ++j) AdvanceRow(args, terms, j);
}

}  // namespace flashmoe::ref
