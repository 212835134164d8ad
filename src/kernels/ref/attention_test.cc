#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/kernels.h"
#include "tensor/half.h"

namespace flashmoe {
namespace {

std::vector<float> Random(int64_t n, unsigned seed) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<size_t>(n));
  for (float& value : x) value = normal(rng);
  return x;
}

TEST(RopeTest, RotatesPairsHalfAHeadApart) {
  std::vector<float> x = {1, 2, 3, 4, 99};
  const float cosines[2] = {0.0f, 0.5f};
  const float sines[2] = {1.0f, 0.25f};
  ScalarKernels().rope(x.data(), cosines, sines, 2);
  EXPECT_EQ(x, (std::vector<float>{-3.0f, 0.0f, 1.0f, 2.5f, 99.0f}));
}

TEST(StoreKvTest, KeepsF32AndRoundsToF16) {
  const std::vector<float> x = {1.0f, -2.5f, 1e6f, 1.0009765625f + 0.0003f};
  std::vector<std::byte> bytes(17);
  ScalarKernels().store_kv(x.data(), 4, KvType::kF32, bytes.data() + 1);  // any address
  EXPECT_EQ(std::memcmp(bytes.data() + 1, x.data(), 16), 0);
  ScalarKernels().store_kv(x.data(), 4, KvType::kF16, bytes.data() + 1);
  uint16_t half[4];
  std::memcpy(half, bytes.data() + 1, 8);
  EXPECT_EQ(half[0], 0x3c00);
  EXPECT_EQ(half[1], 0xc100);
  EXPECT_EQ(half[2], 0x7c00);
  EXPECT_EQ(half[3], 0x3c01);
}

std::vector<float> RoundTo8Bit(std::vector<float> x) {
  for (size_t begin = 0; begin < x.size(); begin += kKvBlock) {
    float largest = 0;
    for (size_t i = begin; i < begin + kKvBlock; ++i) largest = std::max(largest, std::abs(x[i]));
    const float scale = largest / 127.0f;
    for (size_t i = begin; i < begin + kKvBlock; ++i) x[i] = std::nearbyint(x[i] / scale) * scale;
  }
  return x;
}

TEST(StoreKvTest, EightBitsHaveAScaleForEvery32) {
  std::vector<float> x = Random(64, 5);
  x[40] = 100.0f;
  std::vector<std::byte> bytes(static_cast<size_t>(KvBytes(KvType::kQ8, 64)) + 1);
  ASSERT_EQ(bytes.size(), 73u);
  ScalarKernels().store_kv(x.data(), 64, KvType::kQ8, bytes.data() + 1);
  float scale;
  std::memcpy(&scale, bytes.data() + 37, sizeof(scale));
  EXPECT_EQ(scale, 100.0f / 127.0f);
  EXPECT_EQ(static_cast<int8_t>(bytes[41 + 8]), 127);
}

// Softmax over q.k, then the mean of v, in double over what the cache holds.
std::vector<double> NaiveAttention(const std::vector<float>& q, const std::vector<float>& k,
                                   const std::vector<float>& v, int64_t length, double scale) {
  const int64_t dim = static_cast<int64_t>(q.size());
  std::vector<double> weights;
  double largest = -1e300, sum = 0.0;
  for (int64_t p = 0; p < length; ++p) {
    double score = 0.0;
    for (int64_t i = 0; i < dim; ++i) {
      score += static_cast<double>(q[static_cast<size_t>(i)]) * k[static_cast<size_t>(p * dim + i)];
    }
    weights.push_back(score * scale);
    largest = std::max(largest, weights.back());
  }
  for (double& w : weights) sum += (w = std::exp(w - largest));
  std::vector<double> out(q.size());
  for (int64_t p = 0; p < length; ++p) {
    for (int64_t i = 0; i < dim; ++i) {
      out[static_cast<size_t>(i)] +=
          weights[static_cast<size_t>(p)] / sum * v[static_cast<size_t>(p * dim + i)];
    }
  }
  return out;
}

TEST(AttentionTest, AgreesWithDoublePrecision) {
  for (const KvType type : {KvType::kF32, KvType::kF16, KvType::kQ8}) {
    for (const int64_t dim : {8, 64, 72, 256}) {
      if (type == KvType::kQ8 && dim % kKvBlock != 0) continue;
      for (const int64_t length : {1, 2, 33, 1000}) {
        SCOPED_TRACE(testing::Message() << "dim " << dim << ", length " << length << ", type "
                                        << static_cast<int>(type));
        const std::vector<float> q = Random(dim, 1);
        std::vector<float> k = Random(length * dim, 2), v = Random(length * dim, 3);
        for (std::vector<float>* x : {&k, &v}) {
          if (type == KvType::kF16) {
            for (float& e : *x) e = F16ToF32(F32ToF16(e));
          } else if (type == KvType::kQ8) {
            *x = RoundTo8Bit(*x);
          }
        }
        // Keys and values of one position lie side by side, with a gap, at an odd address.
        const int64_t stride = 2 * KvBytes(type, dim) + 6;
        std::vector<std::byte> cache(static_cast<size_t>(length * stride + 1));
        for (int64_t p = 0; p < length; ++p) {
          std::byte* at = cache.data() + 1 + p * stride;
          ScalarKernels().store_kv(k.data() + p * dim, dim, type, at);
          ScalarKernels().store_kv(v.data() + p * dim, dim, type, at + KvBytes(type, dim));
        }
        std::vector<float> scratch(static_cast<size_t>(AttentionScratch(dim, length)));
        std::vector<float> out(q.size(), NAN);
        AttentionBlock head;
        head.q = q.data();
        head.k = cache.data() + 1;
        head.v = cache.data() + 1 + KvBytes(type, dim);
        head.kv_type = type;
        head.stride_bytes = stride;
        head.length = length;
        head.head_dim = dim;
        head.scale = 1.0f / std::sqrt(static_cast<float>(dim));
        head.scratch = scratch.data();
        head.out = out.data();
        ScalarKernels().attention(head);

        const std::vector<double> want =
            NaiveAttention(q, k, v, length, static_cast<double>(head.scale));
        for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], want[i], 2e-6) << i;
      }
    }
  }
}

}  // namespace
}  // namespace flashmoe
