#include "measure/memory_sampler.h"

#include <gtest/gtest.h>

#include <vector>

namespace flashmoe {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr MemoryBursts kBursts = {.bytes = kMiB, .first = kMiB};

TEST(MemorySamplerTest, AddsOneBurstForEachSample) {
  ThreadPool pool(2);
  const std::vector<std::byte> weights(11 * kMiB);  // zeros will do
  MemorySampler sampler(pool, weights, kBursts);
  TimedBytes sum;
  for (uint64_t sample = 1; sample <= 5; ++sample) {
    const double before_s = sum.seconds;
    sampler.Sample(sum);
    EXPECT_EQ(sum.bytes, sample * kMiB);
    EXPECT_GT(sum.seconds, before_s);
  }
}

TEST(MemorySamplerTest, AddsNothingWhereWeightsAreFew) {
  ThreadPool pool(1);
  const std::vector<std::byte> weights(9 * kMiB, std::byte{1});
  MemorySampler few(pool, weights, kBursts), none;
  for (MemorySampler* sampler : {&few, &none}) {
    TimedBytes sum;
    sampler->Sample(sum);
    EXPECT_EQ(sum.bytes, 0u);
  }
}

}  // namespace
}  // namespace flashmoe
