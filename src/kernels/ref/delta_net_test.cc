// The delta rule against a double-precision recurrence, and chunks against single steps.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/kernels.h"

namespace flashmoe {
namespace {

enum class Decay { kUsual, kNone, kStrong, kMixed, kInfinite };

// Inputs of one head.
struct Problem {
  Problem(int64_t tokens_, int64_t key_dim_, int64_t value_dim_, Decay decay, unsigned seed)
      : tokens(tokens_), key_dim(key_dim_), value_dim(value_dim_), rng(seed) {
    Fill(&q, tokens * key_dim);
    Fill(&k, tokens * key_dim);
    Fill(&v, tokens * value_dim);
    Fill(&state, value_dim * key_dim);
    const float scale = 1.0f / std::sqrt(static_cast<float>(key_dim));
    for (int64_t t = 0; t < tokens; ++t) {
      const KernelTable& kernels = ScalarKernels();
      kernels.l2_norm(Q(t), 1e-6f, scale, key_dim, Q(t));
      kernels.l2_norm(K(t), 1e-6f, 1.0f, key_dim, K(t));
    }
    std::uniform_real_distribution<float> uniform(0.0f, 1.0f);
    for (int64_t t = 0; t < tokens; ++t) {
      beta.push_back(uniform(rng));
      g.push_back(LogDecay(decay, uniform(rng)));
    }
  }

  static float LogDecay(Decay decay, float u) {
    switch (decay) {
      case Decay::kUsual:
        return -0.2f * u;
      case Decay::kNone:
        return 0.0f;
      case Decay::kStrong:
        return -90.0f * u;
      case Decay::kMixed:  // a decay to nothing must not spoil the small ones after it
        return u < 0.3f ? -5000.0f : -0.01f * u;
      case Decay::kInfinite:
        return u < 0.2f ? -std::numeric_limits<float>::infinity() : -0.1f * u;
    }
    return 0.0f;
  }

  void Fill(std::vector<float>* out, int64_t n) {
    std::normal_distribution<float> normal;
    out->resize(static_cast<size_t>(n));
    for (float& x : *out) x = normal(rng);
  }

  float* Q(int64_t t) { return q.data() + t * key_dim; }
  float* K(int64_t t) { return k.data() + t * key_dim; }
  float* V(int64_t t) { return v.data() + t * value_dim; }

  int64_t tokens, key_dim, value_dim;
  std::mt19937 rng;
  std::vector<float> q, k, v, g, beta, state;
};

struct Outcome {
  std::vector<float> out;    // [tokens, value_dim]
  std::vector<float> state;  // [value_dim, key_dim]
};

Outcome RunSteps(Problem p) {
  Outcome result{.out = std::vector<float>(static_cast<size_t>(p.tokens * p.value_dim)),
                 .state = p.state};
  for (int64_t t = 0; t < p.tokens; ++t) {
    DeltaStep step;
    step.state = result.state.data();
    step.q = p.Q(t);
    step.k = p.K(t);
    step.v = p.V(t);
    step.decay = std::exp(p.g[static_cast<size_t>(t)]);
    step.beta = p.beta[static_cast<size_t>(t)];
    step.key_dim = p.key_dim;
    step.value_dim = p.value_dim;
    step.out = result.out.data() + t * p.value_dim;
    ScalarKernels().delta_step(step);
  }
  return result;
}

Outcome RunChunk(Problem p) {
  std::vector<float> scratch(static_cast<size_t>(DeltaChunkScratch(p.key_dim)), NAN);
  DeltaChunk chunk;
  chunk.state = p.state.data();
  chunk.q = p.Q(0);
  chunk.k = p.K(0);
  chunk.v = p.V(0);
  chunk.g = p.g.data();
  chunk.beta = p.beta.data();
  chunk.tokens = p.tokens;
  chunk.key_dim = p.key_dim;
  chunk.value_dim = p.value_dim;
  chunk.scratch = scratch.data();
  ScalarKernels().delta_chunk(chunk);
  return {.out = p.v, .state = p.state};
}

// The recurrence of the header, in double and in the order in which it is written there.
Outcome RunDouble(Problem p) {
  std::vector<double> s(p.state.begin(), p.state.end());
  Outcome result{.out = {}, .state = {}};
  for (int64_t t = 0; t < p.tokens; ++t) {
    const double decay = std::exp(static_cast<double>(p.g[static_cast<size_t>(t)]));
    for (int64_t j = 0; j < p.value_dim; ++j) {
      double* row = s.data() + j * p.key_dim;
      double recalled = 0.0, o = 0.0;
      for (int64_t c = 0; c < p.key_dim; ++c) recalled += (row[c] *= decay) * p.K(t)[c];
      const double d = p.beta[static_cast<size_t>(t)] * (p.V(t)[j] - recalled);
      for (int64_t c = 0; c < p.key_dim; ++c) o += (row[c] += d * p.K(t)[c]) * p.Q(t)[c];
      result.out.push_back(static_cast<float>(o));
    }
  }
  result.state.assign(s.begin(), s.end());
  return result;
}

// Largest difference, relative to the largest value.
double Deviation(const std::vector<float>& got, const std::vector<float>& want) {
  EXPECT_EQ(got.size(), want.size());
  double difference = 0.0, largest = 1e-30;
  for (size_t i = 0; i < got.size(); ++i) {
    if (!std::isfinite(got[i])) return std::numeric_limits<double>::infinity();
    difference = std::max(difference, std::fabs(static_cast<double>(got[i]) - want[i]));
    largest = std::max(largest, std::fabs(static_cast<double>(want[i])));
  }
  return difference / largest;
}

constexpr Decay kDecays[] = {Decay::kUsual, Decay::kNone, Decay::kStrong, Decay::kMixed,
                             Decay::kInfinite};

TEST(DeltaNetTest, StepsFollowTheRecurrence) {
  for (const Decay decay : kDecays) {
    SCOPED_TRACE(static_cast<int>(decay));
    const Problem p(50, 128, 64, decay, 1);
    const Outcome got = RunSteps(p), want = RunDouble(p);
    EXPECT_LT(Deviation(got.out, want.out), 3e-6);
    EXPECT_LT(Deviation(got.state, want.state), 3e-6);
  }
}

TEST(DeltaNetTest, ChunksOfEveryLengthAgreeWithSteps) {
  unsigned seed = 100;
  for (int64_t tokens = 1; tokens <= kDeltaChunk; ++tokens) {
    for (const Decay decay : kDecays) {
      SCOPED_TRACE(testing::Message() << tokens << " tokens, decay " << static_cast<int>(decay));
      const Problem p(tokens, 32, 48, decay, ++seed);
      const Outcome got = RunChunk(p), want = RunSteps(p);
      ASSERT_LT(Deviation(got.out, want.out), 3e-6);
      ASSERT_LT(Deviation(got.state, want.state), 3e-6);
    }
  }
}

TEST(DeltaNetTest, ChunksOfEveryShapeAgreeWithSteps) {
  unsigned seed = 900;
  for (const int64_t key_dim : {32, 64, 128}) {
    for (const int64_t value_dim : {48, 64, 128}) {
      for (const Decay decay : kDecays) {
        SCOPED_TRACE(testing::Message()
                     << key_dim << " x " << value_dim << ", decay " << static_cast<int>(decay));
        const Problem p(kDeltaChunk, key_dim, value_dim, decay, ++seed);
        const Outcome got = RunChunk(p), want = RunDouble(p);
        ASSERT_LT(Deviation(got.out, want.out), 3e-6);
        ASSERT_LT(Deviation(got.state, want.state), 3e-6);
      }
    }
  }
}

// The worst case for the triangular solve: every token has the same key and is learned fully.
TEST(DeltaNetTest, RepeatedKeysStayExact) {
  Problem p(kDeltaChunk, 64, 64, Decay::kNone, 5);
  for (int64_t t = 1; t < p.tokens; ++t) std::copy(p.K(0), p.K(0) + p.key_dim, p.K(t));
  std::fill(p.beta.begin(), p.beta.end(), 1.0f);
  const Outcome got = RunChunk(p), want = RunDouble(p);
  EXPECT_LT(Deviation(got.out, want.out), 3e-6);
  EXPECT_LT(Deviation(got.state, want.state), 3e-6);
}

TEST(DeltaNetTest, RowsOfTheStateDoNotDependOnTheirNumber) {
  const Problem p(40, 64, 64, Decay::kUsual, 11);
  Problem half = p;
  half.value_dim = 32;  // the first 32 elements of each v
  half.v.clear();
  for (int64_t t = 0; t < p.tokens; ++t) {
    const auto begin = p.v.begin() + t * p.value_dim;
    half.v.insert(half.v.end(), begin, begin + half.value_dim);
  }
  half.state.resize(static_cast<size_t>(32 * p.key_dim));
  const Outcome whole = RunChunk(p), part = RunChunk(half);
  EXPECT_TRUE(std::equal(part.state.begin(), part.state.end(), whole.state.begin()));
}

}  // namespace
}  // namespace flashmoe
