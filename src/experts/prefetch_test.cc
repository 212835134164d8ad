#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "base/clock.h"
#include "experts/guess_judge.h"
#include "experts/test_experts.h"
#include "io/sim_reader.h"

namespace flashmoe {
namespace {

constexpr int kPerToken = 3;
constexpr int kLayersWithExperts[] = {0, 2, 3, 4};

TEST(GuessJudgeTest, BelievesWhatItSees) {
  GuessJudge judge;
  EXPECT_FALSE(judge.Pays(0));
  EXPECT_TRUE(judge.Pays(0, /*sure=*/true));
  judge.Note(0, true);
  EXPECT_FALSE(judge.Pays(0));
  judge.Note(0, true);
  EXPECT_TRUE(judge.Pays(0)) << "two are enough";
  for (int i = 0; i < 100; ++i) judge.Note(0, false);
  EXPECT_FALSE(judge.Pays(0, /*sure=*/true));
  EXPECT_TRUE(judge.Pays(1, /*sure=*/true));
  for (int i = 0; i < 100; ++i) judge.Note(0, i % 10 != 0);
  EXPECT_TRUE(judge.Pays(0)) << "what is switched off can come back";
}

class PrefetchTest : public ::testing::Test {
 protected:
  void Open(uint64_t slots, const SimOptions& options = {}, bool prefetch = true) {
    auto sim = std::make_unique<SimReader>(*MakeReader({.kind = ReaderKind::kPread}), options);
    sim_ = sim.get();
    auto store =
        ExpertStore::Create(experts_.Catalog(), {slots, kPerToken, prefetch}, std::move(sim));
    ASSERT_TRUE(store.has_value()) << store.error().ToString();
    store_ = std::move(*store);
  }

  void Expect(int layer, const std::vector<int>& experts, int at_once = 4) {
    std::vector<ExpertGuess> guesses;
    for (size_t i = 0; i < experts.size(); ++i) guesses.push_back({experts[i], 0, /*sure=*/true});
    store_->Expect(layer, guesses, at_once);
  }

  // Whether the request came to its end; all that it handed out was right.
  bool Run(int layer, const std::vector<int>& wanted) {
    auto stream = store_->Stream(layer, wanted);
    EXPECT_TRUE(stream.has_value());
    std::vector<int> got;
    while (true) {
      auto expert = stream->Next();
      if (!expert.has_value()) return false;
      if (!expert->has_value()) break;
      EXPECT_TRUE(experts_.Matches(layer, **expert));
      got.push_back((*expert)->expert);
    }
    std::vector<int> all = wanted;
    std::sort(all.begin(), all.end());
    std::sort(got.begin(), got.end());
    EXPECT_EQ(got, all);
    return true;
  }

  // Gives reads the time to arrive, as computing would.
  void Idle() {
    const double start = NowSeconds();
    while (NowSeconds() - start < 0.02) {
    }
  }

  TestExperts experts_{::testing::TempDir()};
  std::unique_ptr<ExpertStore> store_;
  SimReader* sim_ = nullptr;
};

TEST_F(PrefetchTest, WhatWasExpectedDoesNotWait) {
  Open(20);
  Expect(3, {1, 5, 7});
  Idle();
  Run(0, {});  // collects
  Expect(3, {1, 5, 7});
  Idle();
  EXPECT_TRUE(Run(3, {5, 1, 9}));
  const StoreStats& stats = store_->stats();
  EXPECT_EQ(stats.guesses_read, 3u);
  EXPECT_EQ(stats.guesses_in_time, 2u);
  EXPECT_EQ(stats.hits, 2u);
  EXPECT_EQ(stats.bytes_guessed, 3u * 17'001);
  EXPECT_EQ(stats.bytes_guessed_used, 2u * 17'001);
  EXPECT_EQ(stats.bytes_read, 4u * 17'001);
}

TEST_F(PrefetchTest, AGuessOnItsWayIsTakenOver) {
  Open(20, {.latency_s = 0.05});
  Expect(3, {1, 5});
  EXPECT_TRUE(Run(3, {5, 1}));
  EXPECT_EQ(store_->stats().guesses_late, 2u);
  EXPECT_EQ(store_->stats().hits, 0u);
  EXPECT_EQ(store_->stats().bytes_read, 2u * 17'001) << "nothing is read twice";
}

TEST_F(PrefetchTest, DemandedReadsGoFirst) {
  Open(20, {.latency_s = 0.02});
  auto stream = store_->Stream(0, std::vector<int>{1, 2});
  ASSERT_TRUE(stream.has_value());
  Expect(2, {4, 5});
  EXPECT_EQ(store_->stats().guesses_read, 0u) << "two demanded reads are on their way";
  while (*stream->Next()) {
  }
  EXPECT_EQ(store_->stats().guesses_read, 2u);
}

TEST_F(PrefetchTest, AStreamWaitsUntilAllHaveCome) {
  Open(20, {.latency_s = 0.02});
  {
    auto stream = store_->Stream(0, std::vector<int>{1, 2});
    ASSERT_TRUE(stream.has_value());
    EXPECT_TRUE(stream->Waits());
    while (*stream->Next()) {
    }
    EXPECT_FALSE(stream->Waits());
  }
  const auto again = store_->Stream(0, std::vector<int>{1, 2});
  ASSERT_TRUE(again.has_value());
  EXPECT_FALSE(again->Waits()) << "both are in memory";
}

TEST_F(PrefetchTest, NoMoreThanSoManyAtOnce) {
  Open(40, {.latency_s = 0.05});
  Expect(0, {0, 1, 2, 3, 4, 5, 6, 7}, /*at_once=*/2);
  EXPECT_EQ(store_->stats().guesses_read, 2u);
}

TEST_F(PrefetchTest, PollingGoesOnReading) {
  Open(40);
  Expect(0, {0, 1, 2, 3, 4, 5}, /*at_once=*/2);
  for (int i = 0; i < 1000 && store_->stats().guesses_read < 6; ++i) {
    Idle();
    store_->Poll();
  }
  EXPECT_EQ(store_->stats().guesses_read, 6u);
  EXPECT_EQ(store_->stats().wait_s, 0) << "without waiting";
}

TEST_F(PrefetchTest, AGuessDoesNotPushOutAnother) {
  Open(12);  // the floor: three a layer
  for (const int layer : kLayersWithExperts) EXPECT_TRUE(Run(layer, {0, 1, 2}));
  Expect(3, {7, 0, 1});  // the layer's oldest is one of them
  Idle();
  store_->Poll();
  EXPECT_TRUE(Run(3, {7, 0, 1}));
  EXPECT_EQ(store_->stats().bytes_guessed, 17'001u);
  EXPECT_EQ(store_->stats().hits, 3u);
}

TEST_F(PrefetchTest, AReaderMayBePutInFront) {
  int wrapped = 0;
  const StoreOptions options = {.slots = 12,
                                .experts_per_token = kPerToken,
                                .wrap_reader = [&](std::unique_ptr<AsyncReader> reader) {
                                  ++wrapped;
                                  return std::make_unique<SimReader>(std::move(reader),
                                                                     SimOptions{});
                                }};
  auto store = ExpertStore::Create(experts_.Catalog(), options, ReaderOptions{});
  ASSERT_TRUE(store.has_value());
  EXPECT_EQ(wrapped, 1);
  EXPECT_EQ((*store)->reader().name(), "simulated");
}

TEST_F(PrefetchTest, GuessesExpireAndGiveTheirSlotsBack) {
  Open(12);  // the floor
  for (int round = 0; round < 20; ++round) {
    for (const int layer : kLayersWithExperts) {
      Expect(layer, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 64);
      EXPECT_TRUE(Run(kLayersWithExperts[round % 4], {11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}));
    }
  }
}

TEST_F(PrefetchTest, ClearingWaitsForGuessesAndForgetsThem) {
  Open(40, {.latency_s = 0.005});
  ASSERT_TRUE(Run(0, {1, 2}));
  Expect(2, {3, 4});
  store_->Clear();
  EXPECT_EQ(store_->slots_used(), 0u);
  ASSERT_TRUE(Run(2, {3, 4}));
  EXPECT_EQ(store_->stats().hits, 0u);
}

TEST_F(PrefetchTest, AFailedGuessIsNoError) {
  Open(20, {.error_rate = 1});
  Expect(3, {1, 5});
  Idle();
  sim_->set_options({});
  EXPECT_TRUE(Run(0, {2})) << "the failures arrive";
  EXPECT_TRUE(Run(3, {5, 1})) << "and are read again";

  sim_->set_options({.error_rate = 1, .latency_s = 0.05});
  Expect(4, {1});
  sim_->set_options({});
  EXPECT_FALSE(Run(4, {1})) << "it was demanded by the time it failed";
  EXPECT_TRUE(Run(4, {1}));
}

TEST_F(PrefetchTest, GuessesThatAreWrongAreNoLongerRead) {
  Open(16);
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    const int wanted = static_cast<int>(random() % 6);
    Expect(3, {wanted + 6});  // never right
    EXPECT_TRUE(Run(3, {wanted}));
    EXPECT_TRUE(Run(0, {wanted, wanted + 1, wanted + 2, wanted + 3}));
  }
  EXPECT_LT(store_->stats().guesses_read, 100u);
  const uint64_t before = store_->stats().guesses_read;
  Expect(3, {11});
  EXPECT_EQ(store_->stats().guesses_read, before);
}

TEST_F(PrefetchTest, SwitchedOffItReadsNothing) {
  Open(20, {}, /*prefetch=*/false);
  EXPECT_FALSE(store_->WantsGuesses(3));
  Expect(3, {1, 5, 7});
  EXPECT_EQ(store_->stats().guesses_read, 0u);
}

TEST_F(PrefetchTest, ALayerInMemoryNeedsNoGuesses) {
  Open(48);
  std::vector<int> all(TestExperts::kExperts);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_TRUE(store_->WantsGuesses(3));
  EXPECT_FALSE(store_->WantsGuesses(1)) << "it has no experts";
  EXPECT_TRUE(Run(3, all));
  EXPECT_FALSE(store_->WantsGuesses(3));
}

// Whatever is guessed, fails or is late: what is handed out holds the file's bytes, and every
// request ends.
TEST_F(PrefetchTest, RandomGuessesNeverChangeWhatIsHandedOut) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    std::mt19937 random(static_cast<uint32_t>(seed));
    const SimOptions bad = {.seed = seed,
                            .error_rate = 0.05,
                            .early_end_rate = 0.02,
                            .split_rate = 0.3,
                            .hold_rate = 0.5};
    Open(12 + seed % 4 * 7, bad);
    int failed = 0;
    for (int step = 0; step < 400; ++step) {
      std::vector<int> all(TestExperts::kExperts);
      std::iota(all.begin(), all.end(), 0);
      std::shuffle(all.begin(), all.end(), random);
      const int layer = kLayersWithExperts[random() % 4];
      std::vector<int> wanted(all.begin(), all.begin() + random() % 8);
      if (random() % 3 == 0) std::shuffle(all.begin(), all.end(), random);
      all.resize(random() % 12);
      Expect(random() % 4 == 0 ? kLayersWithExperts[random() % 4] : layer, all,
             1 + static_cast<int>(random() % 8));
      if (random() % 20 == 0) {
        auto stream = store_->Stream(layer, wanted);  // left early
        ASSERT_TRUE(stream.has_value());
        if (random() % 2 == 0) (void)stream->Next();
        continue;
      }
      if (!Run(layer, wanted)) ++failed;
    }
    EXPECT_GT(failed, 0);
    EXPECT_LT(failed, 400);
  }
}

}  // namespace
}  // namespace flashmoe
