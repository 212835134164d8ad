#include "measure/forecast.h"

#include <gtest/gtest.h>

namespace flashmoe {
namespace {

// 40 layers of 256 experts of 1.5 MB, 8 a token; 2 GB for every token.
ModelFacts Facts() {
  ModelFacts facts;
  facts.config.layers = 40;
  facts.config.experts = 256;
  facts.experts_per_token = 8;
  facts.dense_bytes = 2'000'000'000;
  facts.expert_bytes = 1'500'000;
  facts.expert_bytes_token = 40 * 8 * facts.expert_bytes;
  facts.expert_bytes_total = 40 * 256 * facts.expert_bytes;
  facts.state_fixed_bytes = 60'000'000;
  facts.state_position_bytes = 20'000;
  facts.products.dense = {{DType::kQ8_0, 1'900'000'000, 1'800'000'000}};
  facts.products.experts = {{DType::kQ4_0, facts.expert_bytes_token, 850'000'000}};
  facts.products.head = {DType::kQ8_0, 100'000'000, 95'000'000};
  return facts;
}

MachineSpeed Machine() {
  MachineSpeed machine;
  machine.disk = {2e9, "given"};
  machine.memory_bytes_per_s = 30e9;
  machine.dense = machine.head = {{DType::kQ8_0, 28e9, {4, 32, 256}, {50e9, 200e9, 300e9}}};
  machine.experts = {{DType::kQ4_0, 20e9, {4, 32, 256}, {40e9, 150e9, 250e9}}};
  return machine;
}

MemoryPlan Plan(double share) {
  MemoryPlan plan;
  plan.slots_all = 40 * 256;
  plan.slots = static_cast<uint64_t>(share * static_cast<double>(plan.slots_all));
  plan.chunk_tokens = 1024;
  return plan;
}

TEST(ForecastTest, MoreExpertsInMemoryAreFoundMoreOften) {
  EXPECT_EQ(ExpectedHitRate(0), 0);
  EXPECT_EQ(ExpectedHitRate(1), 1);
  EXPECT_NEAR(ExpectedHitRate(0.25), 0.66, 1e-9);
  EXPECT_NEAR(ExpectedHitRate(0.30), 0.71, 1e-9);
  for (double share = 0.01; share <= 1; share += 0.01) {
    EXPECT_GT(ExpectedHitRate(share), ExpectedHitRate(share - 0.01));
    EXPECT_GT(ExpectedHitRate(share), share) << "caches do better than chance";
    if (share > 0.97) break;
  }
}

TEST(ForecastTest, AllResidentNothingIsReadAndMemoryIsTheRoof) {
  const DecodeForecast f = ForecastDecode(Facts(), Plan(1), Machine(), 0);
  EXPECT_EQ(f.bytes_missed, 0);
  EXPECT_EQ(f.wait_s, 0);
  EXPECT_FALSE(f.roofs.disk.has_value());
  // 2 GB of weights, 0.48 GB of experts, 0.12 GB of state.
  EXPECT_NEAR(*f.roofs.memory, 30 / 2.6, 1e-9);
  EXPECT_LT(f.tokens_per_s(), *f.roofs.memory);
  EXPECT_EQ(f.roofs.lowest(), f.roofs.memory);
}

TEST(ForecastTest, WhatIsMissedOverTheDiskIsARoof) {
  const DecodeForecast f = ForecastDecode(Facts(), Plan(0.25), Machine(), 0);
  EXPECT_NEAR(f.bytes_missed, 0.34 * 480e6, 1);
  EXPECT_NEAR(*f.roofs.disk, 2e9 / (0.34 * 480e6), 1e-9);
  EXPECT_LT(f.tokens_per_s(), *f.roofs.lowest());
  // Reading takes 82 ms, of which 45 % of the 122 ms of computing before the head hide 55; the
  // first bytes of 40 layers are awaited for 6.
  EXPECT_NEAR(f.wait_s, 0.033, 0.001);
}

TEST(ForecastTest, WhatReadingTakesOfTheCoresCounts) {
  const DecodeForecast free = ForecastDecode(Facts(), Plan(0.75), Machine(), 0);
  MachineSpeed shared = Machine();
  shared.disk.compute_s_per_byte = 0.1e-9;
  const DecodeForecast f = ForecastDecode(Facts(), Plan(0.75), shared, 0);
  // All of the 24 MB are read beside computing.
  EXPECT_NEAR(f.bytes_missed, 0.05 * 480e6, 1);
  EXPECT_NEAR(f.compute_s - free.compute_s, 0.1e-9 * f.bytes_missed, 1e-6);
  EXPECT_EQ(f.wait_s, free.wait_s);
  shared.disk.bytes_per_s /= 1000;
  EXPECT_LT(ForecastDecode(Facts(), Plan(0.75), shared, 0).compute_s - free.compute_s,
            0.1e-9 * f.bytes_missed)
      << "while it waits, nothing is lost";
}

TEST(ForecastTest, MoreMemoryAndFasterDisksNeverHurt) {
  double before = 0;
  for (const double share : {0.05, 0.1, 0.2, 0.4, 0.8, 1.0}) {
    const double speed = ForecastDecode(Facts(), Plan(share), Machine(), 100).tokens_per_s();
    EXPECT_GT(speed, before);
    before = speed;
    MachineSpeed faster = Machine();
    faster.disk.bytes_per_s *= 2;
    EXPECT_GE(ForecastDecode(Facts(), Plan(share), faster, 100).tokens_per_s(), speed);
  }
}

TEST(ForecastTest, LongPromptsReadEachExpertOnceAChunk) {
  const PrefillForecast f = ForecastPrefill(Facts(), Plan(0.25), Machine(), 2048);
  EXPECT_NEAR(f.bytes_read, 2.0 * 0.75 * 40 * 256 * 1.5e6, 1e6);
  EXPECT_LE(f.tokens_per_s(), *f.roofs.lowest());
  const PrefillForecast brief = ForecastPrefill(Facts(), Plan(0.25), Machine(), 1);
  EXPECT_NEAR(brief.bytes_read, 0.75 * 480e6, 1);
  const PrefillForecast resident = ForecastPrefill(Facts(), Plan(1), Machine(), 2048);
  EXPECT_EQ(resident.bytes_read, 0);
  EXPECT_FALSE(resident.roofs.disk.has_value());
  EXPECT_GE(resident.tokens_per_s(), f.tokens_per_s());
}

TEST(ForecastTest, KernelSpeedsAreInterpolated) {
  const KernelSpeed kernel = Machine().dense.front();
  EXPECT_EQ(kernel.peak_products_per_s(), 300e9);
  EXPECT_EQ(kernel.ProductsPerSecond(4), 50e9);
  EXPECT_EQ(kernel.ProductsPerSecond(2), 25e9);
  EXPECT_EQ(kernel.ProductsPerSecond(32), 200e9);
  EXPECT_EQ(kernel.ProductsPerSecond(4096), 300e9);
  EXPECT_GT(kernel.ProductsPerSecond(64), 200e9);
  EXPECT_LT(kernel.ProductsPerSecond(64), 300e9);
}

}  // namespace
}  // namespace flashmoe
