#include "base/bandwidth.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <span>
#include <vector>

namespace flashmoe {
namespace {

TEST(Bandwidth, IsWhatAMachineMayHave) {
  for (const int threads : {1, 3}) {
    for (const uint64_t bytes : {uint64_t{1}, uint64_t{5} << 20}) {
      const Result<double> read = MeasureReadBandwidth(threads, bytes);
      const Result<double> copy = MeasureCopyBandwidth(threads, bytes);
      ASSERT_TRUE(read.has_value() && copy.has_value());
      // Slower than any memory, faster than any cache.
      EXPECT_GT(*read, 1e6);
      EXPECT_LT(*read, 1e14);
      EXPECT_GT(*copy, 1e6);
      EXPECT_LT(*copy, 1e14);
    }
  }
}

TEST(Bandwidth, ASweepGoesRoundItsMemory) {
  ThreadPool pool(2);
  auto sweep = MemorySweep::Create(pool, (uint64_t{3} << 20) - 1);
  ASSERT_TRUE(sweep.has_value());
  EXPECT_EQ(sweep->bytes(), uint64_t{3} << 20);
  for (const uint64_t bytes : {uint64_t{1}, uint64_t{2} << 20, uint64_t{1} << 40}) {
    sweep->Read(bytes);
  }
}

TEST(Bandwidth, ASweepMayReadAnothersMemory) {
  ThreadPool pool(2);
  const std::vector<std::byte> memory((size_t{5} << 20) + 3, std::byte{1});
  MemorySweep sweep = MemorySweep::Over(pool, std::span(memory).subspan(3));
  EXPECT_EQ(sweep.bytes(), uint64_t{4} << 20);
  for (int i = 0; i < 3; ++i) sweep.Read(uint64_t{3} << 20);
}

TEST(Bandwidth, MoreThanThereIsIsAnError) {
  EXPECT_FALSE(MeasureReadBandwidth(1, uint64_t{1} << 60).has_value());
  EXPECT_FALSE(MeasureCopyBandwidth(1, uint64_t{1} << 60).has_value());
}

}  // namespace
}  // namespace flashmoe
