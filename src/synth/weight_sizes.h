// How large the weights of each tensor of a random model are, so that activations stay of unit size
// and routing behaves as in trained models.
//
// Three things shape the routing. The token: the embedding is of size 1. The context: delta nets
// average over the last tokens and add the average to the residual stream, so that neighbours share
// experts; attention and experts add little. Popularity: what never changes in the averages prefers
// some experts, and rows of the routers may differ in size.
//
// Averaging needs biases, which these models do not have: keys and queries with a common direction
// (else an average of random directions is what is read), few updates of the state, and gates that
// are open or closed for good. So all tokens have the same first eighth of their embedding, and
// what a matrix has in these columns acts as a bias.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/config.h"
#include "synth/random_matrix.h"

namespace flashmoe {

// How many columns of what reads the residual stream act as biases; may be 0 in tiny models.
int64_t CountBiasColumns(const ModelConfig& config);

// For a matrix: weights in the first columns, and in all others.
struct MatrixWeights {
  double size = 1;
  BiasColumns bias;
};

// `base`: "attn_q" of "blk.3.attn_q.weight"; `cols`: the length of its rows.
MatrixWeights MatrixWeightsOf(std::string_view base, int64_t cols, const ModelConfig& config);

// For a small tensor: uniform in a range; rows from `other_from` on in another one.
struct VectorWeights {
  double low = 0, high = 0;
  int64_t other_from = -1;  // -1: all are alike
  double other_bound = 0;   // those lie in [-other_bound, other_bound]
};
VectorWeights VectorWeightsOf(std::string_view base, const ModelConfig& config);

// Of a router's logits. Routers have zeros in the columns for biases.
inline constexpr double kRouterGain = 1.5;

}  // namespace flashmoe
