// A store with a slot for every expert fills itself while the disk is idle.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/clock.h"
#include "experts/test_experts.h"
#include "io/sim_reader.h"

namespace flashmoe {
namespace {

constexpr int kPerToken = 3;
constexpr int kLayersWithExperts[] = {0, 2, 3, 4};
constexpr uint64_t kAll = 4 * TestExperts::kExperts;

class ReadAheadTest : public ::testing::Test {
 protected:
  void Open(const SimOptions& options = {}, uint64_t slots = kAll) {
    auto sim = std::make_unique<SimReader>(*MakeReader({.kind = ReaderKind::kPread}), options);
    sim_ = sim.get();
    StoreOptions store_options{.slots = slots, .experts_per_token = kPerToken, .read_ahead = true};
    auto store = ExpertStore::Create(experts_.Catalog(), store_options, std::move(sim));
    ASSERT_TRUE(store.has_value()) << store.error().ToString();
    store_ = std::move(*store);
  }

  // The error, or empty. What was handed out was right and complete.
  std::string Run(int layer, const std::vector<int>& wanted) {
    auto stream = store_->Stream(layer, wanted);
    EXPECT_TRUE(stream.has_value());
    size_t got = 0;
    while (true) {
      auto expert = stream->Next();
      if (!expert.has_value()) return expert.error().ToString();
      if (!expert->has_value()) break;
      EXPECT_TRUE(experts_.Matches(layer, **expert));
      ++got;
    }
    EXPECT_EQ(got, wanted.size());
    return {};
  }

  // Asks for the same few experts until the store is full, or for a second.
  void RunUntilFull() {
    const double start_s = NowSeconds();
    while (store_->slots_used() < kAll && NowSeconds() - start_s < 1) {
      for (const int layer : kLayersWithExperts) ASSERT_EQ(Run(layer, {1}), "");
    }
  }

  TestExperts experts_{::testing::TempDir()};
  std::unique_ptr<ExpertStore> store_;
  SimReader* sim_ = nullptr;
};

TEST_F(ReadAheadTest, FillsTheStoreAndReadsEveryExpertOnce) {
  Open();
  RunUntilFull();
  ASSERT_EQ(store_->slots_used(), kAll);
  const std::vector<int> all = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  for (const int layer : kLayersWithExperts) ASSERT_EQ(Run(layer, all), "");
  EXPECT_EQ(store_->stats().bytes_read, store_->catalog().total_bytes());
  store_->ResetStats();
  for (const int layer : kLayersWithExperts) ASSERT_EQ(Run(layer, all), "");
  EXPECT_EQ(store_->stats().hits, kAll);
  EXPECT_EQ(store_->stats().bytes_read, 0u);
  EXPECT_EQ(sim_->in_flight(), 0u);
}

TEST_F(ReadAheadTest, WhatIsDemandedMeanwhileArrivesOnceAndRight) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Open({.seed = seed, .split_rate = 0.3, .hold_rate = 0.7});
    std::mt19937_64 random(seed);
    for (int i = 0; i < 60; ++i) {
      const int layer = kLayersWithExperts[random() % 4];
      const int first = static_cast<int>(random() % 10);
      ASSERT_EQ(Run(layer, {first + 1, first, first + 2}), "");
    }
    RunUntilFull();
    // Nothing is in flight once all of it has been handed out.
    const std::vector<int> all = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    for (const int layer : kLayersWithExperts) ASSERT_EQ(Run(layer, all), "");
    EXPECT_EQ(store_->stats().bytes_read, store_->catalog().total_bytes()) << seed;
  }
}

TEST_F(ReadAheadTest, AFailureIsNoErrorUntilTheExpertIsWanted) {
  Open();
  ASSERT_EQ(Run(0, {1}), "");  // what follows is on its way, unharmed
  sim_->set_options({.error_rate = 1});
  const std::string text = Run(3, {2});
  if (!text.empty()) {
    EXPECT_THAT(text, testing::HasSubstr("expert 2 of layer 3"));
  }
  sim_->set_options({});
  for (const int layer : kLayersWithExperts) {
    ASSERT_EQ(Run(layer, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}), "");
  }
}

TEST_F(ReadAheadTest, ErrorsOfTheDiskNeverCostAnExpert) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Open({.seed = seed, .error_rate = 0.2, .hold_rate = 0.5});
    for (int i = 0; i < 40; ++i) Run(kLayersWithExperts[i % 4], {i % 12, (i + 1) % 12});
    sim_->set_options({});
    for (const int layer : kLayersWithExperts) {
      std::string text = Run(layer, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
      // A part that failed before the disk healed ends one request more.
      if (!text.empty()) text = Run(layer, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
      EXPECT_EQ(text, "");
    }
  }
}

TEST_F(ReadAheadTest, NothingIsReadAheadWhereSlotsAreFewer) {
  Open({}, kAll - 1);
  for (int i = 0; i < 20; ++i) {
    for (const int layer : kLayersWithExperts) ASSERT_EQ(Run(layer, {1}), "");
  }
  EXPECT_EQ(store_->slots_used(), 4u);
}

}  // namespace
}  // namespace flashmoe
