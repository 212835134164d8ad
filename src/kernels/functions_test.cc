// Everything but matmul of every table against the scalar one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/testing.h"
#include "tensor/half.h"

namespace flashmoe {
namespace {

using testing::Guarded;
using testing::Random;
using testing::RandomFloats;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Lengths around every vector width.
const int64_t kLengths[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 257, 1000};

template <typename Floats>
float* At(Floats& v, int64_t i = 0) {
  return v.data() + i;
}

void ExpectClose(const std::vector<float>& actual, const std::vector<float>& expected,
                 double relative, double absolute, std::string_view what) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(actual[i], expected[i],
                relative * std::fabs(static_cast<double>(expected[i])) + absolute)
        << what << " at " << i << " of " << actual.size();
  }
}

// Runs `call(table, x)` on copies of `x` and compares what the tables leave there.
template <typename Call>
void CompareInPlace(const std::vector<float>& x, double relative, double absolute, Call call) {
  std::vector<float> expected = x;
  call(ScalarKernels(), expected);
  for (const KernelTable* table : AvailableKernels()) {
    Guarded<float> actual(x);
    call(*table, actual);
    ExpectClose({actual.data(), actual.data() + actual.size()}, expected, relative, absolute,
                table->name);
  }
}

TEST(FastFunctions, Norms) {
  Random random(1);
  for (const int64_t n : kLengths) {
    const std::vector<float> x = RandomFloats(random, n, 3.0f);
    const Guarded<float> weight(RandomFloats(random, n));
    CompareInPlace(x, 1e-6, 0, [&](const KernelTable& table, auto& y) {
      table.rms_norm(y.data(), weight.data(), 1e-6f, n, y.data());
    });
    CompareInPlace(x, 1e-6, 0, [&](const KernelTable& table, auto& y) {
      table.l2_norm(y.data(), 1e-6f, 0.25f, n, y.data());
    });
  }
}

TEST(FastFunctions, Gates) {
  Random random(2);
  for (const int64_t n : kLengths) {
    const std::vector<float> gate = RandomFloats(random, n, 8.0f);
    const std::vector<float> x = RandomFloats(random, n);
    const Guarded<float> g(gate), other(x);
    CompareInPlace(x, 1e-6, 1e-37, [&](const KernelTable& table, auto& y) {
      table.silu_mul(g.data(), y.data(), n, y.data());
    });
    CompareInPlace(gate, 1e-6, 1e-37, [&](const KernelTable& table, auto& y) {
      table.silu_mul(y.data(), other.data(), n, y.data());
    });
    CompareInPlace(x, 1e-6, 1e-37, [&](const KernelTable& table, auto& y) {
      table.sigmoid_mul(g.data(), n, y.data());
    });
    CompareInPlace(x, 1e-6, 1e-37, [&](const KernelTable& table, auto& y) {
      table.silu_scale(g.data(), n, y.data());
    });
  }
}

TEST(FastFunctions, GatesAtTheEndsOfTheRange) {
  const std::vector<float> gate = {kInfinity, 1e30f,  200.0f,     89.5f,  88.8f,  88.7f,
                                   0.0f,      -0.0f,  -87.4f,     -88.8f, -89.5f, -104.f,
                                   -200.f,    -1e30f, -kInfinity, 1.0f};
  const auto n = static_cast<int64_t>(gate.size());
  for (const KernelTable* table : AvailableKernels()) {
    std::vector<float> x(gate.size(), 1.0f);
    table->sigmoid_mul(gate.data(), n, x.data());
    for (size_t i = 0; i < x.size(); ++i) {
      const double expected = 1.0 / (1.0 + std::exp(-static_cast<double>(gate[i])));
      EXPECT_NEAR(x[i], expected, 3e-7 * expected + 1e-38) << table->name << " " << gate[i];
    }
    std::vector<float> silu(gate.size(), 1.0f);
    table->silu_scale(gate.data(), n - 2, silu.data());  // -inf / inf is NaN
    for (size_t i = 0; i + 2 < silu.size(); ++i) {
      const double g = static_cast<double>(gate[i]);
      const double expected = std::isinf(g) ? g : g / (1.0 + std::exp(-g));
      if (std::isinf(g)) {
        EXPECT_EQ(silu[i], gate[i]);
      } else {
        EXPECT_NEAR(silu[i], expected, 3e-7 * std::fabs(expected) + 1e-36) << table->name;
      }
    }
    std::vector<float> nan = {NAN, 1.0f, 1.0f};
    std::vector<float> ones(3, 1.0f);
    table->sigmoid_mul(nan.data(), 3, ones.data());
    EXPECT_TRUE(std::isnan(ones[0]) && !std::isnan(ones[1])) << table->name;
  }
}

// sigmoid(x) is e^x for very negative x, to within e^x: so this measures the exponential.
TEST(FastFunctions, ExponentialIsWithinThreeUlp) {
  for (const KernelTable* table : AvailableKernels()) {
    std::vector<float> gate, x;
    for (float g = -17.0f; g > -87.0f; g -= 0.00317f) gate.push_back(g);
    x.assign(gate.size(), 1.0f);
    table->sigmoid_mul(gate.data(), static_cast<int64_t>(gate.size()), x.data());
    double worst = 0.0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double expected = 1.0 / (1.0 + std::exp(-static_cast<double>(gate[i])));
      worst = std::max(worst, std::fabs(static_cast<double>(x[i]) / expected - 1.0));
    }
    EXPECT_LT(worst, 3 * 0x1p-24 * 2) << table->name;
  }
}

TEST(FastFunctions, DotAndAxpy) {
  Random random(3);
  for (const int64_t n : kLengths) {
    const Guarded<float> a(RandomFloats(random, n));
    const std::vector<float> b = RandomFloats(random, n);
    const Guarded<float> guarded_b(b);
    double exact = 0.0, magnitude = 0.0;
    for (size_t i = 0; i < a.size(); ++i) {
      const double product = static_cast<double>(a[i]) * static_cast<double>(b[i]);
      exact += product;
      magnitude += std::fabs(product);
    }
    for (const KernelTable* table : AvailableKernels()) {
      EXPECT_NEAR(table->dot(a.data(), guarded_b.data(), n), exact, 1e-6 * magnitude)
          << table->name;
    }
    CompareInPlace(b, 1e-6, 1e-6, [&](const KernelTable& table, auto& y) {
      table.axpy(-1.5f, a.data(), n, y.data());
    });
  }
}

TEST(FastFunctions, AxpyOfBf16RoundsAsTheChancesSay) {
  Random random(14);
  for (const int64_t n : kLengths) {
    const Guarded<float> x(RandomFloats(random, n));
    std::vector<uint16_t> before(static_cast<size_t>(n));
    std::ranges::transform(RandomFloats(random, n), before.begin(), F32ToBf16);
    for (const KernelTable* table : AvailableKernels()) {
      Guarded<uint16_t> y(before);
      const uint32_t chance = 0x12345678;
      table->axpy_bf16(0.01f, x.data(), n, chance, y.data());
      for (int64_t i = 0; i < n; ++i) {
        const uint32_t up = (chance + static_cast<uint32_t>(i) * kChanceStep) >> 16;
        const auto rounded = [&](float exact) { return (BitsFromFloat(exact) + up) >> 16; };
        const float w = Bf16ToF32(before[i]);
        EXPECT_TRUE(y[i] == rounded(std::fma(0.01f, x[i], w)) || y[i] == rounded(w + 0.01f * x[i]))
            << table->name;
      }
    }
  }
}

TEST(FastFunctions, Softmax) {
  Random random(4);
  for (const int64_t n : kLengths) {
    for (const float deviation : {0.01f, 3.0f, 1000.0f}) {
      std::vector<float> x = RandomFloats(random, n, deviation);
      for (float& value : x)
        value -= 5000.0f;  // far from zero: the padding must not be the maximum
      CompareInPlace(x, 1e-6, 1e-37, [&](const KernelTable& table, auto& y) {
        table.softmax(y.data(), n);
        EXPECT_NEAR(table.dot(y.data(), std::vector<float>(y.size(), 1.0f).data(), n), 1.0, 1e-6);
      });
    }
  }
  for (const KernelTable* table : AvailableKernels()) {
    std::vector<float> masked = {-kInfinity, 2.0f, -kInfinity, 2.0f};
    table->softmax(masked.data(), 4);
    EXPECT_EQ(masked, (std::vector<float>{0.0f, 0.5f, 0.0f, 0.5f})) << table->name;
  }
}

TEST(FastFunctions, Convolution) {
  Random random(5);
  for (const int64_t n : kLengths) {
    const Guarded<float> weight(RandomFloats(random, 4 * n));
    const Guarded<float> columns(RandomFloats(random, 4 * n));
    const float* window[4] = {At(columns), At(columns, n), At(columns, 2 * n), At(columns, 3 * n)};
    CompareInPlace(std::vector<float>(static_cast<size_t>(n)), 1e-5, 2e-6,
                   [&](const KernelTable& table, auto& y) {
                     table.conv4_silu(weight.data(), window, n, y.data());
                   });
  }
}

TEST(FastFunctions, RopeAndStore) {
  Random random(6);
  for (const int64_t n : kLengths) {
    const std::vector<float> angles = RandomFloats(random, n);
    const Guarded<float> cosines(n), sines(n);
    for (size_t i = 0; i < angles.size(); ++i) {
      cosines[i] = std::cos(angles[i]);
      sines[i] = std::sin(angles[i]);
    }
    std::vector<float> x = RandomFloats(random, 2 * n);
    CompareInPlace(x, 1e-6, 1e-6, [&](const KernelTable& table, auto& y) {
      table.rope(y.data(), cosines.data(), sines.data(), n);
    });
    x[0] = 1e6f;  // beyond f16
    for (const KvType type : {KvType::kF32, KvType::kF16, KvType::kQ8}) {
      if (type == KvType::kQ8 && x.size() % kKvBlock != 0) continue;
      const auto bytes = static_cast<size_t>(KvBytes(type, std::ssize(x)));
      std::vector<std::byte> expected(bytes);
      const Guarded<std::byte> actual(static_cast<int64_t>(bytes));
      ScalarKernels().store_kv(x.data(), 2 * n, type, expected.data());
      for (const KernelTable* table : AvailableKernels()) {
        std::memset(actual.data(), 0x55, bytes);
        table->store_kv(x.data(), 2 * n, type, actual.data());
        EXPECT_EQ(std::memcmp(actual.data(), expected.data(), bytes), 0) << table->name;
      }
    }
  }
}

// Queries and a cache with gaps between all that can have them, each ending at a guarded page.
struct AttentionInputs {
  AttentionInputs(Random& random, KvType type, int64_t dim, int64_t tokens, int64_t heads,
                  int64_t length)
      : q(RandomFloats(random, tokens * heads * (dim + 4) - 4)) {
    block.kv_type = type;
    block.stride_bytes = KvBytes(type, dim) + 16;
    const int64_t positions = length + tokens - 1;
    const int64_t bytes = (positions - 1) * block.stride_bytes + KvBytes(type, dim);
    k = Guarded<std::byte>(bytes);
    v = Guarded<std::byte>(bytes);
    for (int64_t p = 0; p < positions; ++p) {
      for (const auto* cache : {&k, &v}) {
        const std::vector<float> x = RandomFloats(random, dim);
        ScalarKernels().store_kv(x.data(), dim, type, cache->data() + p * block.stride_bytes);
      }
    }
    block.q = q.data();
    block.q_head_stride = dim + 4;
    block.q_token_stride = heads * block.q_head_stride;
    block.k = k.data();
    block.v = v.data();
    block.tokens = tokens;
    block.heads = heads;
    block.length = length;
    block.head_dim = dim;
    block.scale = 1.0f / std::sqrt(static_cast<float>(dim));
    block.out_head_stride = dim;
    block.out_token_stride = heads * dim;
  }

  void Run(const KernelTable& table, AttentionBlock part, float* out) const {
    const int64_t longest = part.length + part.tokens - 1;
    Guarded<float> scratch(AttentionScratch(part.head_dim, longest));
    for (float& x : scratch.view()) x = std::nanf("");
    part.scratch = scratch.data();
    part.out = out;
    table.attention(part);
  }

  Guarded<float> q;
  Guarded<std::byte> k, v;
  AttentionBlock block;
};

TEST(FastAttention, MatchesTheScalarTable) {
  Random random(7);
  const struct { int64_t tokens, heads; } kShapes[] = {{1, 1}, {1, 8}, {3, 13}, {16, 8}, {128, 1}};
  for (const KvType type : {KvType::kF32, KvType::kF16, KvType::kQ8}) {
    for (const int64_t dim : {8, 24, 48, 64, 96, 128, 256}) {
      if (type == KvType::kQ8 && dim % kKvBlock != 0) continue;
      for (const int64_t length : {1, 2, 31, 32, 33, 67, 200}) {
        for (const auto& [tokens, heads] : kShapes) {
          SCOPED_TRACE(::testing::Message() << "dim " << dim << ", length " << length << ", "
                                            << tokens << " tokens, " << heads << " heads");
          const AttentionInputs inputs(random, type, dim, tokens, heads, length);
          CompareInPlace(std::vector<float>(static_cast<size_t>(tokens * heads * dim)), 1e-5, 1e-5,
                         [&](const KernelTable& table, auto& out) {
                           inputs.Run(table, inputs.block, out.data());
                         });
        }
      }
    }
  }
}

TEST(FastAttention, DoesNotDependOnWhoElseIsInTheBlock) {
  Random random(8);
  constexpr int64_t kDim = 72, kTokens = 9, kHeads = 13;
  for (const int64_t length : {1, 30, 64, 99}) {
    const AttentionInputs inputs(random, KvType::kF16, kDim, kTokens, kHeads, length);
    for (const KernelTable* table : AvailableKernels()) {
      std::vector<float> together(kTokens * kHeads * kDim);
      inputs.Run(*table, inputs.block, together.data());
      for (int64_t t = 0; t < kTokens; ++t) {
        for (int64_t h = 0; h < kHeads; ++h) {
          AttentionBlock alone = inputs.block;
          alone.q += t * alone.q_token_stride + h * alone.q_head_stride;
          alone.tokens = alone.heads = 1;
          alone.length += t;
          std::vector<float> out(kDim);
          inputs.Run(*table, alone, out.data());
          ASSERT_EQ(
              std::memcmp(out.data(), At(together, (t * kHeads + h) * kDim), kDim * sizeof(float)),
              0)
              << table->name << ", length " << length << ", token " << t << ", head " << h;
        }
      }
    }
  }
}

TEST(FastAttention, SurvivesScoresOfAnySize) {
  Random random(9);
  AttentionInputs inputs(random, KvType::kF32, 32, 2, 4, 100);
  for (float& x : inputs.q.view()) x *= 3000.0f;
  CompareInPlace(
      std::vector<float>(2 * 4 * 32), 1e-4, 1e-4,
      [&](const KernelTable& table, auto& out) { inputs.Run(table, inputs.block, out.data()); });
}

// Inputs of the delta rule as a model makes them.
struct DeltaInputs {
  DeltaInputs(Random& random, int64_t n, int64_t key, int64_t value)
      : tokens(n), key_dim(key), value_dim(value) {
    state = RandomFloats(random, key * value, 0.3f);
    q = Guarded<float>(RandomFloats(random, n * key));
    k = Guarded<float>(RandomFloats(random, n * key));
    v = Guarded<float>(RandomFloats(random, n * value));
    for (int64_t t = 0; t < n; ++t) {
      ScalarKernels().l2_norm(At(q, t * key), 1e-6f, 0.1f, key, At(q, t * key));
      ScalarKernels().l2_norm(At(k, t * key), 1e-6f, 1.0f, key, At(k, t * key));
      g.push_back(-std::fabs(RandomFloats(random, 1)[0]));
      const float b = RandomFloats(random, 1)[0];
      beta.push_back(1.0f / (1.0f + std::exp(-b)));
    }
  }

  // Tokens [begin, begin + n) through `s`.
  void Chunk(const KernelTable& table, std::vector<float>& s, int64_t begin, int64_t n,
             std::vector<float>& out) {
    std::vector<float> scratch(static_cast<size_t>(DeltaChunkScratch(key_dim)));
    Guarded<float> place(n * value_dim);
    std::copy_n(At(v, begin * value_dim), n * value_dim, place.data());
    DeltaChunk chunk = {};
    chunk.state = s.data();
    chunk.q = At(q, begin * key_dim);
    chunk.k = At(k, begin * key_dim);
    chunk.v = place.data();
    chunk.g = At(g, begin);
    chunk.beta = At(beta, begin);
    chunk.tokens = n;
    chunk.key_dim = key_dim;
    chunk.value_dim = value_dim;
    chunk.scratch = scratch.data();
    table.delta_chunk(chunk);
    std::copy_n(place.data(), n * value_dim, At(out, begin * value_dim));
  }

  void Steps(const KernelTable& table, std::vector<float>& s, std::vector<float>& out,
             bool in_place = false) {
    for (int64_t t = 0; t < tokens; ++t) {
      const float* values = At(v, t * value_dim);
      if (in_place) {
        std::copy_n(values, value_dim, At(out, t * value_dim));
        values = At(out, t * value_dim);
      }
      table.delta_step({s.data(), At(q, t * key_dim), At(k, t * key_dim), values,
                        std::exp(g[static_cast<size_t>(t)]), beta[static_cast<size_t>(t)], key_dim,
                        value_dim, At(out, t * value_dim)});
    }
  }

  int64_t tokens, key_dim, value_dim;
  std::vector<float> state, g, beta;
  Guarded<float> q, k, v;
};

TEST(FastDelta, StepsAndChunksMatchTheScalarSteps) {
  Random random(8);
  const std::pair<int64_t, int64_t> dims[] = {{8, 8}, {32, 48}, {48, 32}, {40, 24}, {128, 128}};
  for (const auto& [key, value] : dims) {
    for (const int64_t n : {1, 2, 7, 33, 64}) {
      DeltaInputs in(random, n, key, value);
      std::vector<float> state = in.state, out(static_cast<size_t>(n * value));
      in.Steps(ScalarKernels(), state, out);
      for (const KernelTable* table : AvailableKernels()) {
        std::vector<float> s = in.state, o(out.size());
        in.Steps(*table, s, o);
        ExpectClose(s, state, 1e-5, 1e-5, table->name);
        ExpectClose(o, out, 1e-5, 1e-5, table->name);
        std::vector<float> s_in_place = in.state, o_in_place(out.size());
        in.Steps(*table, s_in_place, o_in_place, /*in_place=*/true);
        EXPECT_EQ(s_in_place, s) << table->name;
        EXPECT_EQ(o_in_place, o) << table->name;
        s = in.state;
        in.Chunk(*table, s, 0, n, o);
        ExpectClose(s, state, 1e-5, 1e-5, table->name);
        ExpectClose(o, out, 1e-5, 1e-5, table->name);
      }
    }
  }
}

TEST(FastDelta, StrongDecayForgetsWithoutNan) {
  Random random(9);
  DeltaInputs in(random, 64, 32, 16);
  for (size_t i = 0; i < in.g.size(); ++i) in.g[i] = i % 3 == 0 ? -200.0f : -1e-4f;
  std::vector<float> state = in.state, out(64 * 16);
  in.Steps(ScalarKernels(), state, out);
  for (const KernelTable* table : AvailableKernels()) {
    std::vector<float> s = in.state, o(out.size());
    in.Chunk(*table, s, 0, 64, o);
    ExpectClose(s, state, 1e-5, 1e-5, table->name);
    ExpectClose(o, out, 1e-5, 1e-5, table->name);
  }
}

// Fast tables: a prompt may be cut anywhere.
TEST(FastDelta, ChunksMayBeCutAnywhere) {
  Random random(10);
  DeltaInputs in(random, 64, 128, 32);
  for (const KernelTable* table : AvailableKernels()) {
    if (table == &ScalarKernels()) continue;
    std::vector<float> whole = in.state, cut = in.state, whole_out(64 * 32), cut_out(64 * 32);
    in.Chunk(*table, whole, 0, 64, whole_out);
    in.Chunk(*table, cut, 0, 1, cut_out);
    in.Chunk(*table, cut, 1, 20, cut_out);
    in.Chunk(*table, cut, 21, 43, cut_out);
    EXPECT_EQ(whole, cut) << table->name;
    EXPECT_EQ(whole_out, cut_out) << table->name;
  }
}

}  // namespace
}  // namespace flashmoe
