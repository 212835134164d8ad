#include "model/moe.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "model/prompt_experts.h"
#include "model/token_experts.h"

namespace flashmoe {
namespace {

// The tokens that chose each expert, grouped by expert.
struct Assignment {
  std::vector<int> experts;    // distinct, in order of first use
  std::vector<int32_t> begin;  // [experts + 1] into `tokens`
  std::vector<int32_t> tokens;
  std::vector<int32_t> places;  // [n, k] in `tokens`

  Assignment(const Routing& routing, int64_t n, int k, int experts_total) {
    std::vector<int32_t> count(experts_total, 0);
    for (int64_t i = 0; i < n * k; ++i) {
      if (count[routing.chosen[i]]++ == 0) experts.push_back(routing.chosen[i]);
    }
    std::vector<int32_t> next(experts_total, 0);
    int32_t total = 0;
    for (const int e : experts) {
      begin.push_back(total);
      next[e] = total;
      total += count[e];
    }
    begin.push_back(total);
    tokens.resize(total);
    places.resize(total);
    for (int64_t i = 0; i < n * k; ++i) {
      const int32_t at = next[routing.chosen[i]]++;
      tokens[at] = static_cast<int32_t>(i / k);
      places[i] = at;
    }
  }

  std::span<const int32_t> TokensOf(int index) const {
    return {tokens.data() + begin[index], tokens.data() + begin[index + 1]};
  }
  // Row of work.expert_out where what this expert yields begins.
  int64_t RowOf(int index) const { return begin[index]; }
};

void WeighSharedExpert(const LayerContext& c, const LayerWeights& w, const Activations& x) {
  const std::array projection = {Projection{w.shared_router, c.work.shared_weight.data(), 1}};
  Project(c.kernels, c.pool, x, projection);
  for (int64_t t = 0; t < c.tokens; ++t) {
    c.work.shared_weight[t] = 1.0f / (1.0f + std::exp(-c.work.shared_weight[t]));
  }
}

void RunSharedExpert(const LayerContext& c, const LayerWeights& w, const Activations& x) {
  for (int64_t t = 0; t < c.tokens; t += c.work.block_tokens) {
    const Activations block = SliceTokens(x, t, std::min(c.work.block_tokens, c.tokens - t));
    FeedForward(c, block, w.shared_gate, w.shared_up, w.shared_down,
                c.work.shared_out.data() + t * c.config.hidden);
  }
}

// Many tokens: the shared expert while others arrive, then those that are there.
Status RunForTokens(const LayerContext& c, const LayerWeights& w, const Assignment& assignment,
                    const Activations& x, ExpertStream& stream) {
  if (w.shared_gate.rows > 0) RunSharedExpert(c, w, x);
  c.Lap(Step::kSharedExpert);
  Activations inputs = x;
  const auto wants_q8 = [&](const ExpertMatrix& matrix) {
    return c.kernels.activation_format(matrix.shape.type) == ActivationFormat::kQ8;
  };
  if (wants_q8(w.experts.gate) && wants_q8(w.experts.up)) inputs.f32 = nullptr;
  std::vector<PromptExpert> experts;
  while (true) {
    FM_ASSIGN_OR_RETURN(const auto batch,
                        stream.NextBatch(/*wait=*/true, PromptExpertsAtOnce(c.pool.threads())));
    c.Lap(Step::kWait);
    if (batch.empty()) return {};
    experts.clear();
    for (const ResidentExpert& expert : batch) {
      experts.push_back(
          {Bind(w.experts.gate, expert.pieces), Bind(w.experts.up, expert.pieces),
           Bind(w.experts.down, expert.pieces), assignment.TokensOf(expert.index),
           c.work.expert_out.data() + assignment.RowOf(expert.index) * c.config.hidden});
    }
    RunPromptExperts(c, inputs, experts);
    c.Lap(Step::kExperts);
  }
}

// One token: all experts that are there at once, the shared one with the first. What the next layer
// will want is of no use before the disk is idle: it is computed after what can be computed
// meanwhile, in the time that would be spent waiting.
Status RunForToken(const LayerContext& c, const LayerWeights& w, const Assignment& assignment,
                   const Activations& x, ExpertStream& stream, Lookahead& lookahead) {
  std::vector<TokenExpert> experts;
  if (w.shared_gate.rows > 0) {
    experts.push_back({w.shared_gate, w.shared_up, w.shared_down, c.work.shared_out.data()});
  }
  bool looked_ahead = false;
  while (true) {
    FM_ASSIGN_OR_RETURN(const auto batch, stream.NextBatch(looked_ahead && experts.empty()));
    c.Lap(Step::kWait);
    for (const ResidentExpert& expert : batch) {
      experts.push_back(
          {Bind(w.experts.gate, expert.pieces), Bind(w.experts.up, expert.pieces),
           Bind(w.experts.down, expert.pieces),
           c.work.expert_out.data() + assignment.RowOf(expert.index) * c.config.hidden});
    }
    if (looked_ahead && experts.empty()) return {};
    if (!looked_ahead && (experts.empty() || !stream.Waits())) {
      lookahead.AfterRequest(c, c.work.experts_per_token);
      looked_ahead = true;
      c.Lap(Step::kLookahead);
    }
    if (experts.empty()) continue;
    RunTokenExperts(c, x, experts);
    experts.clear();
    c.Lap(Step::kExperts);
  }
}

void Combine(const LayerContext& c, const Assignment& assignment, bool shared) {
  const int64_t hidden = c.config.hidden;
  const int k = c.work.experts_per_token;
  c.pool.ParallelFor(c.tokens, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      float* out = c.work.mixed.data() + t * hidden;
      std::fill_n(out, hidden, 0.0f);
      for (int rank = 0; rank < k; ++rank) {
        c.kernels.axpy(c.work.routing.weights[t * k + rank],
                       c.work.expert_out.data() + assignment.places[t * k + rank] * hidden, hidden,
                       out);
      }
      if (shared) {
        c.kernels.axpy(c.work.shared_weight[t], c.work.shared_out.data() + t * hidden, hidden, out);
      }
    }
  });
}

}  // namespace

Status RunExperts(const LayerContext& c, const LayerWeights& w, ExpertStore& store,
                  Lookahead& lookahead) {
  const Assignment assignment(c.work.routing, c.tokens, c.work.experts_per_token, c.config.experts);
  const auto choices = static_cast<size_t>(c.tokens * c.work.experts_per_token);
  FM_ASSIGN_OR_RETURN(
      ExpertStream stream,
      store.Stream(c.layer, assignment.experts, {c.work.routing.chosen.data(), choices}, c.stop));
  c.Lap(Step::kRequest);
  if (c.tokens > 1) {
    lookahead.AfterRequest(c, std::ssize(assignment.experts));
    c.Lap(Step::kLookahead);
  }

  const bool shared = w.shared_gate.rows > 0;
  const std::array types = {w.experts.gate.shape.type, w.experts.up.shape.type, w.shared_gate.type,
                            w.shared_up.type};
  const Activations& x =
      c.work.input.Set(c.kernels, c.pool, c.work.normed.data(), c.tokens, c.config.hidden, types);
  if (shared) WeighSharedExpert(c, w, x);
  c.Lap(Step::kSharedExpert);
  FM_RETURN_IF_ERROR(c.tokens == 1 ? RunForToken(c, w, assignment, x, stream, lookahead)
                                   : RunForTokens(c, w, assignment, x, stream));
  Combine(c, assignment, shared);
  c.Lap(Step::kCombine);
  return {};
}

}  // namespace flashmoe
