#include "experts/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <numeric>
#include <set>
#include <thread>

#include "base/clock.h"
#include "experts/test_experts.h"
#include "io/sim_reader.h"

namespace flashmoe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kPerToken = 3;

class ExpertStoreTest : public ::testing::Test {
 protected:
  TestExperts experts_{::testing::TempDir()};

  std::unique_ptr<ExpertStore> Make(uint64_t slots, const ReaderOptions& options = {}) {
    auto store = ExpertStore::Create(experts_.Catalog(), {slots, kPerToken}, options);
    EXPECT_TRUE(store.has_value()) << store.error().ToString();
    return std::move(*store);
  }
  // Over a simulated disk; the reader stays the store's.
  std::unique_ptr<ExpertStore> MakeSimulated(uint64_t slots, const SimOptions& options) {
    auto sim = std::make_unique<SimReader>(*MakeReader({.kind = ReaderKind::kPread}), options);
    sim_ = sim.get();
    auto store = ExpertStore::Create(experts_.Catalog(), {slots, kPerToken}, std::move(sim));
    EXPECT_TRUE(store.has_value()) << store.error().ToString();
    return std::move(*store);
  }
  // The experts in their order of arrival; all right.
  std::vector<int> Run(ExpertStore& store, int layer, const std::vector<int>& wanted) {
    auto stream = store.Stream(layer, wanted);
    EXPECT_TRUE(stream.has_value()) << stream.error().ToString();
    std::vector<int> order;
    while (true) {
      auto expert = stream->Next();
      EXPECT_TRUE(expert.has_value()) << expert.error().ToString();
      if (!expert.has_value() || !expert->has_value()) break;
      EXPECT_EQ((*expert)->expert, wanted[(*expert)->index]);
      EXPECT_TRUE(experts_.Matches(layer, **expert));
      order.push_back((*expert)->expert);
    }
    EXPECT_EQ(std::set<int>(order.begin(), order.end()),
              std::set<int>(wanted.begin(), wanted.end()));
    EXPECT_EQ(order.size(), wanted.size());
    return order;
  }
  // The error that ends a request for the layer's experts.
  std::string RunToError(ExpertStore& store, int layer, const std::vector<int>& wanted) {
    auto stream = store.Stream(layer, wanted);
    EXPECT_TRUE(stream.has_value());
    while (true) {
      auto expert = stream->Next();
      if (!expert.has_value()) {
        auto after = stream->Next();
        EXPECT_TRUE(after.has_value() && !after->has_value()) << "nothing more after an error";
        return expert.error().ToString();
      }
      if (!expert->has_value()) return "no error";
      EXPECT_TRUE(experts_.Matches(layer, **expert));
    }
  }
  static std::vector<int> All() {
    std::vector<int> all(TestExperts::kExperts);
    std::iota(all.begin(), all.end(), 0);
    return all;
  }

  SimReader* sim_ = nullptr;
};

// A chunk in which most tokens choose 0 and 1, and the last one others; then one of another layer.
TEST_F(ExpertStoreTest, TheCacheKnowsHowManyTokensOfAChunkUseAnExpert) {
  std::vector<int32_t> chosen;
  for (int32_t other = 2; other < TestExperts::kExperts; ++other) {
    chosen.insert(chosen.end(), {0, 1, other});
  }
  chosen.insert(chosen.end(), {9, 10, 11});
  for (const auto& [policy, hits] :
       {std::pair{CachePolicyKind::kDue, 2u}, {CachePolicyKind::kLru, 0u}}) {
    StoreOptions options{.slots = 15, .experts_per_token = kPerToken, .policy = policy};
    auto store = ExpertStore::Create(experts_.Catalog(), options, ReaderOptions{});
    ASSERT_TRUE(store.has_value());
    {
      auto stream = (*store)->Stream(0, All(), chosen);
      ASSERT_TRUE(stream.has_value());
      while ((*stream->Next()).has_value()) continue;
    }
    Run(**store, 2, All());
    (*store)->ResetStats();
    Run(**store, 0, {0, 1});
    EXPECT_EQ((*store)->stats().hits, hits) << CachePolicyName(policy);
  }
}

TEST_F(ExpertStoreTest, HandsOutEveryExpertWithTheFilesBytes) {
  for (const ReaderKind kind : {ReaderKind::kAuto, ReaderKind::kPread, ReaderKind::kMmap}) {
    auto store = Make(20, {.kind = kind});
    for (const int layer : {0, 2, 3, 4}) Run(*store, layer, {7, 0, 11, 4});
    EXPECT_EQ(store->stats().requests, 16u);
    EXPECT_EQ(store->stats().hits, 0u);
    EXPECT_EQ(store->stats().bytes_read, 4u * (3 * 17'001 + 5000));
    EXPECT_GT(store->stats().read_s, 0.0);
    EXPECT_EQ(store->slots_used(), 16u);
  }
}

TEST_F(ExpertStoreTest, ResidentExpertsComeFirstAndReadNothing) {
  auto store = Make(20);
  Run(*store, 0, {1, 2, 3});
  store->ResetStats();
  const std::vector<int> order = Run(*store, 0, {9, 3, 8, 1});
  EXPECT_THAT(std::vector(order.begin(), order.begin() + 2), ElementsAre(3, 1));
  EXPECT_EQ(store->stats().requests, 4u);
  EXPECT_EQ(store->stats().hits, 2u);
  EXPECT_EQ(store->stats().bytes_read, 2u * 17'001);
}

TEST_F(ExpertStoreTest, BatchesHoldAllThatHasCome) {
  auto store = Make(20);
  Run(*store, 0, {1, 2, 3});
  auto stream = store->Stream(0, std::vector<int>{3, 9, 1, 8});
  auto first = stream->NextBatch(/*wait=*/false);
  ASSERT_TRUE(first.has_value());
  ASSERT_GE(first->size(), 2u);  // those read before, and any that was quick
  EXPECT_EQ((*first)[0].index, 0);
  EXPECT_EQ((*first)[1].index, 2);
  size_t total = 0;
  for (auto batch = *first; !batch.empty(); batch = *stream->NextBatch(/*wait=*/true)) {
    for (const ResidentExpert& expert : batch) EXPECT_TRUE(experts_.Matches(0, expert));
    total += batch.size();
  }
  EXPECT_EQ(total, 4u);
  EXPECT_TRUE(stream->NextBatch(/*wait=*/true)->empty());
}

TEST_F(ExpertStoreTest, ABatchStaysWhileOthersNeedSlots) {
  auto store = Make(14);
  for (const int layer : {0, 2, 3}) Run(*store, layer, {1, 5, 9});
  auto stream = store->Stream(4, All());  // five slots for twelve experts
  std::set<int> seen;
  while (true) {
    const auto batch = stream->NextBatch(/*wait=*/true);
    ASSERT_TRUE(batch.has_value());
    if (batch->empty()) break;
    for (const ResidentExpert& expert : *batch) {
      EXPECT_TRUE(experts_.Matches(4, expert));
      EXPECT_TRUE(seen.insert(expert.expert).second);
    }
  }
  EXPECT_EQ(seen.size(), All().size());
}

// A disk that answers late: nothing is there yet, which is not the end.
TEST_F(ExpertStoreTest, ABatchThatIsNotWaitedForMayBeEmpty) {
  auto store = MakeSimulated(20, {.latency_s = 0.05});
  auto stream = store->Stream(0, std::vector<int>{4, 7});
  EXPECT_TRUE(stream->NextBatch(/*wait=*/false)->empty());
  size_t total = 0;
  while (true) {
    const auto batch = stream->NextBatch(/*wait=*/true);
    ASSERT_TRUE(batch.has_value());
    if (batch->empty()) break;
    total += batch->size();
  }
  EXPECT_EQ(total, 2u);
}

TEST_F(ExpertStoreTest, EmptyRequestEndsAtOnce) {
  auto store = Make(20);
  Run(*store, 0, {});
  Run(*store, 1, {});
  EXPECT_EQ(store->stats().requests, 0u);
}

// The floor: a plain LRU would have thrown out each layer's experts just before their turn.
TEST_F(ExpertStoreTest, LayersInTurnHitWithOneTokensWorkingSet) {
  auto store = Make(ExpertStore::MinSlots(experts_.Catalog(), kPerToken));
  EXPECT_EQ(store->slots(), 12u);
  for (int token = 0; token < 20; ++token) {
    if (token == 1) store->ResetStats();
    for (const int layer : {0, 2, 3, 4}) Run(*store, layer, {layer, layer + 3, layer + 1});
  }
  EXPECT_EQ(store->stats().requests, 19u * 12);
  EXPECT_EQ(store->stats().hits, store->stats().requests);
  EXPECT_EQ(store->stats().bytes_read, 0u);
}

TEST_F(ExpertStoreTest, FloorsSurviveARequestForAWholeLayer) {
  auto store = Make(14);
  for (const int layer : {0, 2, 3}) Run(*store, layer, {1, 5, 9});
  Run(*store, 4, All());  // five slots for twelve experts
  store->ResetStats();
  for (const int layer : {0, 2, 3}) Run(*store, layer, {1, 5, 9});
  EXPECT_EQ(store->stats().hits, 9u);
}

TEST_F(ExpertStoreTest, OneExpertPerTokenAndOneSlotPerLayerStillPassEverything) {
  auto store = ExpertStore::Create(experts_.Catalog(), {4, 1}, ReaderOptions{});
  ASSERT_TRUE(store.has_value());
  for (int round = 0; round < 3; ++round) {
    for (const int layer : {0, 2, 3, 4}) Run(**store, layer, All());
  }
}

TEST_F(ExpertStoreTest, SlotsForAllMeansOneReadOfEach) {
  auto store = Make(1'000'000);
  EXPECT_EQ(store->slots(), 48u);  // as many as there are experts
  for (int round = 0; round < 3; ++round) {
    for (const int layer : {0, 2, 3, 4}) Run(*store, layer, All());
  }
  EXPECT_EQ(store->stats().bytes_read, experts_.Catalog().total_bytes());
  EXPECT_EQ(store->stats().hits, 2u * 48);
}

TEST_F(ExpertStoreTest, ClearedItReadsEverythingAgain) {
  const auto store = Make(16);
  Run(*store, 0, {1, 2, 3});
  Run(*store, 2, {4, 5});
  EXPECT_EQ(store->slots_used(), 5u);
  store->Clear();
  EXPECT_EQ(store->slots_used(), 0u);
  store->ResetStats();
  Run(*store, 0, {1, 2, 3});
  EXPECT_EQ(store->stats().hits, 0u);
  Run(*store, 0, {1, 2, 3});
  EXPECT_EQ(store->stats().hits, 3u);
  EXPECT_EQ(store->slots_used(), 3u);
}

TEST_F(ExpertStoreTest, TooFewSlotsAreRefusedWithTheNumberThatWouldDo) {
  auto store = ExpertStore::Create(experts_.Catalog(), {11, kPerToken}, ReaderOptions{});
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, ErrorCode::kOutOfMemory);
  EXPECT_THAT(store.error().ToString(), HasSubstr("11 expert slots are too few"));
  EXPECT_THAT(store.error().ToString(), HasSubstr("12 slots"));
  EXPECT_FALSE(ExpertStore::Create(experts_.Catalog(), {50, 0}, ReaderOptions{}).has_value());
  EXPECT_FALSE(ExpertStore::Create(experts_.Catalog(), {50, 3}, ReaderOptions{.queue_depth = 0})
                   .has_value());
}

TEST_F(ExpertStoreTest, ModelWithoutRoutedExpertsNeedsNoSlots) {
  EXPECT_EQ(ExpertStore::MinSlots(ExpertCatalog(4, 0), 8), 0u);
  auto store = ExpertStore::Create(ExpertCatalog(4, 0), {0, 8}, ReaderOptions{});
  ASSERT_TRUE(store.has_value()) << store.error().ToString();
  EXPECT_EQ((*store)->slots(), 0u);
}

TEST_F(ExpertStoreTest, WorkingSetNeverExceedsTheExperts) {
  EXPECT_EQ(ExpertStore::MinSlots(experts_.Catalog(), 100), 4u * TestExperts::kExperts);
}

TEST_F(ExpertStoreTest, UnknownOrRepeatedExpertsAreRefused) {
  auto store = Make(20);
  for (const auto& [layer, wanted] : std::initializer_list<std::pair<int, std::vector<int>>>{
           {0, {12}}, {0, {-1}}, {0, {3, 4, 3}}, {1, {0}}, {5, {0}}, {-1, {0}}}) {
    EXPECT_FALSE(store->Stream(layer, wanted).has_value());
  }
  Run(*store, 0, {3, 4});  // usable, and no stream is left open
}

TEST_F(ExpertStoreTest, EarlyDestructionKeepsWhatArrivedAndUnpinsAll) {
  auto store = MakeSimulated(12, {.split_rate = 0.5, .hold_rate = 0.7, .jitter_s = 0.001});
  for (int round = 0; round < 30; ++round) {
    for (const int layer : {0, 3, 4}) {
      auto stream = store->Stream(layer, All());
      for (int i = 0; i < round % 5; ++i) ASSERT_TRUE(stream->Next().has_value());
    }
    EXPECT_EQ(sim_->in_flight(), 0u);
  }
  for (const int layer : {0, 2, 3, 4}) Run(*store, layer, All());
}

TEST_F(ExpertStoreTest, DeviceErrorNamesExpertLayerFileAndOffset) {
  auto store = MakeSimulated(20, {});
  Run(*store, 3, {1, 2});
  sim_->set_options({.error_rate = 1});
  const std::string text = RunToError(*store, 3, {1, 2, 6});
  EXPECT_THAT(text, HasSubstr("expert 6 of layer 3: read failed: Input/output error"));
  EXPECT_THAT(text, HasSubstr(experts_.file(3).path() + ", byte "));
  sim_->set_options({});
  store->ResetStats();
  Run(*store, 3, {1, 2, 6});
  EXPECT_EQ(store->stats().hits, 2u);
}

TEST_F(ExpertStoreTest, TruncatedFileEndsTheRequestAndTheRestGoesOn) {
  for (const ReaderKind kind : {ReaderKind::kAuto, ReaderKind::kPread, ReaderKind::kMmap}) {
    TestExperts experts(::testing::TempDir());
    auto store = *ExpertStore::Create(experts.Catalog(), {20, kPerToken}, {.kind = kind});
    // Cuts the last piece of layer 3's expert 9.
    experts.file(3).Truncate(TestExperts::Offset(3, 9, 2) + 100);
    const std::string text = RunToError(*store, 3, {9});
    EXPECT_THAT(text, HasSubstr("expert 9 of layer 3: "));
    // What it says depends on which piece comes first.
    EXPECT_THAT(text, ::testing::AnyOf(HasSubstr("9000 bytes wanted, but the file ends early"),
                                       HasSubstr("the file was changed while in use")));
    EXPECT_THAT(text, HasSubstr(experts.file(3).path()));
    // What the file still holds may be another model's by now; what is in memory and what lies in
    // other files is not.
    EXPECT_THAT(RunToError(*store, 3, {8, 0}), HasSubstr("the file was changed while in use"));
    EXPECT_EQ(RunToError(*store, 4, {9, 1}), "no error");
  }
}

TEST_F(ExpertStoreTest, ASilentDiskEndsTheRequestAndWhatItBringsLaterCounts) {
  auto sim = std::make_unique<SimReader>(*MakeReader({.kind = ReaderKind::kPread}),
                                         SimOptions{.latency_s = 2});
  SimReader* disk = sim.get();
  const StoreOptions options{.slots = 12, .experts_per_token = kPerToken, .silence_max_s = 0.3};
  auto store = ExpertStore::Create(experts_.Catalog(), options, std::move(sim));
  ASSERT_TRUE(store.has_value());
  const double start = NowSeconds();
  const std::string text = RunToError(**store, 3, {1, 2, 6});
  EXPECT_LT(NowSeconds() - start, 2) << "it did not wait for the disk";
  EXPECT_THAT(text, HasSubstr("experts of layer 3: the disk has not answered for "));
  EXPECT_THAT(text, HasSubstr(experts_.file(3).path()));
  EXPECT_EQ(disk->in_flight(), 9u);

  disk->set_options({});
  Run(**store, 0, {4, 5});  // others are not held up
  (*store)->ResetStats();
  // What is on its way is not read again, however often it is asked for.
  while (RunToError(**store, 3, {1, 2, 7}) != "no error") continue;
  while (disk->in_flight() > 0) Run(**store, 0, {4});
  Run(**store, 3, {1, 2, 6, 7});
  EXPECT_EQ((*store)->stats().bytes_read, 4u * 17'001);
}

TEST_F(ExpertStoreTest, WhatWasLeftBehindAndFailsIsReadAgain) {
  auto sim = std::make_unique<SimReader>(*MakeReader({.kind = ReaderKind::kPread}),
                                         SimOptions{.error_rate = 1, .latency_s = 1});
  SimReader* disk = sim.get();
  const StoreOptions options{.slots = 12, .experts_per_token = kPerToken, .silence_max_s = 0.1};
  auto store = ExpertStore::Create(experts_.Catalog(), options, std::move(sim));
  ASSERT_TRUE(store.has_value());
  EXPECT_THAT(RunToError(**store, 3, {1, 2, 6}), HasSubstr("has not answered"));
  disk->set_options({});
  // One is wanted again, the others are not; meanwhile few slots are free.
  while (true) {
    const std::string text = RunToError(**store, 3, {6, 7, 8});
    if (text == "no error") break;
    EXPECT_THAT(text, ::testing::AnyOf(HasSubstr("has not answered"), HasSubstr("expert 6")));
  }
  while (disk->in_flight() > 0) Run(**store, 0, {4});
  for (const int layer : {0, 2, 3, 4}) Run(**store, layer, All());
  EXPECT_EQ((*store)->slots_used(), 12u);
}

TEST_F(ExpertStoreTest, ReadsOnTheirWayHoldUpALimitForAWhile) {
  auto store = MakeSimulated(20, {});
  for (const int layer : {0, 2, 3}) Run(*store, layer, {1, 2, 3, 4, 5});
  sim_->set_options({.latency_s = 0.3});
  const std::vector<ExpertGuess> guesses = {{1, 0, /*sure=*/true}, {2, 0, /*sure=*/true}};
  store->Expect(4, guesses, 2);
  const size_t reads = sim_->in_flight();
  EXPECT_GT(reads, 0u);
  store->LimitSlots(12);
  EXPECT_EQ(store->slots(), 17u) << "a read is on its way to the seventeenth";
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  store->LimitSlots(12);
  EXPECT_EQ(store->slots(), 12u);
  EXPECT_EQ(sim_->in_flight(), 0u);
  sim_->set_options({});
  for (const int layer : {0, 2, 3, 4}) Run(*store, layer, All());
}

TEST_F(ExpertStoreTest, WhoeverWaitsForASilentDiskCanStop) {
  auto store = MakeSimulated(20, {.latency_s = 100});
  int asked = 0;
  const std::function<bool()> stop = [&] { return ++asked > 1; };
  const double start = NowSeconds();
  {
    auto stream = store->Stream(0, std::vector<int>{4, 7}, {}, &stop);
    ASSERT_TRUE(stream.has_value());
    const auto stopped = stream->Next();
    ASSERT_FALSE(stopped.has_value());
    EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  }
  EXPECT_LT(NowSeconds() - start, 20);
  EXPECT_EQ(sim_->in_flight(), 6u);
  sim_->set_options({});
  Run(*store, 2, {4, 7, 1});
}

TEST_F(ExpertStoreTest, WithFewerSlotsItReadsMoreAndNothingElse) {
  auto store = Make(48);
  for (const int layer : {0, 2, 3, 4}) Run(*store, layer, All());
  store->LimitSlots(20);
  EXPECT_EQ(store->slots(), 20u);
  EXPECT_EQ(store->slots_used(), 20u);
  EXPECT_EQ(store->stats().slots_given_back, 28u);
  store->ResetStats();
  for (const int layer : {0, 2, 3, 4}) Run(*store, layer, All());
  EXPECT_LT(store->stats().hits, 21u);
  store->LimitSlots(1);
  EXPECT_EQ(store->slots(), store->slots_min());
  for (const int layer : {0, 2, 3, 4}) Run(*store, layer, All());
  store->LimitSlots(1'000'000);
  EXPECT_EQ(store->slots(), store->slots_made());
  for (const int layer : {0, 2, 3, 4}) Run(*store, layer, All());
  store->ResetStats();
  for (const int layer : {0, 2, 3, 4}) Run(*store, layer, All());
  EXPECT_EQ(store->stats().hits, 48u);
}

TEST_F(ExpertStoreTest, WaitingForASlowDiskIsCounted) {
  auto store = MakeSimulated(20, {.latency_s = 0.03});
  Run(*store, 0, {1});
  EXPECT_GE(store->stats().wait_s, 0.02);
  EXPECT_GE(store->stats().read_s, store->stats().wait_s * 0.9);
  const double wait_s = store->stats().wait_s;
  Run(*store, 0, {1});
  EXPECT_EQ(store->stats().wait_s, wait_s) << "a hit does not wait";
}

}  // namespace
}  // namespace flashmoe
