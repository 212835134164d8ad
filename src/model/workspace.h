// The scratch memory of a forward pass, taken once for the largest chunk of tokens.
#pragma once

#include <cstdint>
#include <vector>

#include "base/huge_vector.h"
#include "base/thread_pool.h"
#include "kernels/kernels.h"
#include "model/config.h"
#include "model/linear.h"

namespace flashmoe {

// Which experts a token chose, best first, and how much each counts.
struct Routing {
  HugeVector<float> logits;       // [n, experts]
  std::vector<float> raw_logits;  // [experts] as the router gave them, if there is one token
  std::vector<int32_t> chosen;    // [n, experts_per_token]
  std::vector<float> weights;     // [n, experts_per_token], each token's sum to 1
};

// What a thread needs for kDeltaChunk tokens of one head of a delta net: q, k, v, g, beta, scratch.
int64_t DeltaLaneFloats(const ModelConfig& config);

struct Workspace {
  // `context`: most positions attention looks at. `experts_per_token` may exceed the config's.
  Workspace(const ModelConfig& config, int64_t tokens_max, int64_t context, int experts_per_token,
            int threads);
  // Tokens that mixers and experts take at a time, in passes of n: long enough for matrix kernels
  // to be at their best; a multiple of the delta net's block if n is.
  static int64_t BlockTokens(int64_t n);
  // Bytes that such a workspace takes, computed the same way.
  static uint64_t Bytes(const ModelConfig& config, int64_t tokens_max, int64_t context,
                        int experts_per_token, int threads);

  int64_t tokens_max = 0;    // n
  int64_t block_tokens = 0;  // b
  int experts_per_token = 0;

  HugeVector<float> x;                  // [n, H] the residual stream
  HugeVector<float> normed;             // [n, H]
  HugeVector<float> mixed;              // [n, H] what a mixer or the experts add
  ActivationBuffer input;               // of projections from H
  ActivationBuffer inner;               // of projections from anything else
  HugeVector<float> projected;          // [b, widest joint projection of a mixer]
  HugeVector<float> heads_out;          // [b, heads * head_dim or value_heads * value_dim]
  HugeVector<float> cosines, sines;     // [n, rotary_dims / 2]
  HugeVector<float> attention_scratch;  // [threads, AttentionScratch]
  HugeVector<float> delta_scratch;      // [threads, DeltaLaneFloats]

  Routing routing;
  HugeVector<float> gate, up;        // [max(b, experts_per_token + 1), widest expert]
  HugeVector<float> expert_out;      // [n * experts_per_token, H] expert by expert
  HugeVector<float> shared_out;      // [n, H]
  std::vector<float> shared_weight;  // [n]
  ActivationBuffer gathered;         // inputs of the tokens that chose one expert
};

}  // namespace flashmoe
