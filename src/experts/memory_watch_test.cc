#include "experts/memory_watch.h"

#include <gtest/gtest.h>

#include <numeric>

#include "experts/test_experts.h"

namespace flashmoe {
namespace {

constexpr int kPerToken = 3;
constexpr uint64_t kReserve = 100'000;

class MemoryWatchTest : public ::testing::Test {
 protected:
  MemoryWatchTest() {
    store_ = *ExpertStore::Create(experts_.Catalog(), {.slots = 48, .experts_per_token = kPerToken},
                                  ReaderOptions{});
  }
  // Wants every expert of every layer.
  void Fill() {
    std::vector<int> all(TestExperts::kExperts);
    std::iota(all.begin(), all.end(), 0);
    for (const int layer : {0, 2, 3, 4}) {
      auto stream = store_->Stream(layer, all);
      ASSERT_TRUE(stream.has_value());
      while (true) {
        const auto expert = stream->Next();
        ASSERT_TRUE(expert.has_value());
        if (!expert->has_value()) break;
        EXPECT_TRUE(experts_.Matches(layer, **expert));
      }
    }
  }
  MemoryWatch Watch(uint64_t reserve) {
    return MemoryWatch({.reserve = reserve, .spare = [this] { return spare_; }, .every_s = 0});
  }
  uint64_t slot() const { return store_->catalog().max_slot_bytes(); }

  TestExperts experts_{::testing::TempDir()};
  std::unique_ptr<ExpertStore> store_;
  uint64_t spare_ = 0;
};

TEST_F(MemoryWatchTest, GivesBackWhatIsMissingAndTakesItAgain) {
  MemoryWatch watch = Watch(kReserve);
  Fill();
  for (const uint64_t enough : {kReserve, 3 * kReserve, 100 * kReserve}) {
    spare_ = enough;
    watch.Look(*store_);
    EXPECT_EQ(store_->slots(), 48u);
  }
  spare_ = kReserve - slot();
  watch.Look(*store_);
  const uint64_t less = store_->slots();
  EXPECT_GE((48 - less) * slot() + spare_, 2 * kReserve);
  EXPECT_LT((48 - less - 1) * slot() + spare_, 2 * kReserve);
  Fill();
  spare_ = 0;
  watch.Look(*store_);
  const uint64_t fewer = store_->slots();
  EXPECT_GE((less - fewer) * slot(), 2 * kReserve);
  Fill();

  spare_ = 2 * kReserve;  // as there should be now
  watch.Look(*store_);
  EXPECT_EQ(store_->slots(), fewer);
  spare_ = 4 * kReserve;
  watch.Look(*store_);
  EXPECT_GT(store_->slots(), fewer);
  const uint64_t more = store_->slots();
  EXPECT_LE((more - fewer) * slot(), 2 * kReserve);
  watch.Look(*store_);
  EXPECT_EQ(store_->slots(), more) << "not before the new ones are filled";
  Fill();
  spare_ = 1000 * kReserve;
  watch.Look(*store_);
  EXPECT_EQ(store_->slots(), 48u);
  Fill();
}

// As an engine has it: half of what is left without others is the reserve.
TEST_F(MemoryWatchTest, WhenOthersHaveGoneAllIsAsBefore) {
  MemoryWatch watch = Watch(kReserve);
  const auto spare_without = [&](uint64_t others) {
    const uint64_t had = 2 * kReserve + (48 - store_->slots()) * slot();
    return had - std::min(had, others);
  };
  for (const uint64_t others : {kReserve + 1, 3 * kReserve / 2, 2 * kReserve, 5 * kReserve}) {
    Fill();
    for (int look = 0; look < 5; ++look) {
      spare_ = spare_without(others);
      watch.Look(*store_);
    }
    EXPECT_LT(store_->slots(), 48u) << others;
    EXPECT_GE(spare_without(others), kReserve) << others;
    for (int look = 0; look < 5; ++look) {
      Fill();
      spare_ = spare_without(0);
      watch.Look(*store_);
    }
    EXPECT_EQ(store_->slots(), 48u) << others;
  }
}

TEST_F(MemoryWatchTest, KeepsOneTokensExpertsWhateverHappens) {
  MemoryWatch watch = Watch(kReserve * 1000);
  Fill();
  watch.Look(*store_);
  EXPECT_EQ(store_->slots(), store_->slots_min());
  Fill();
}

TEST_F(MemoryWatchTest, LooksNowAndThenAndOnlyIfAsked) {
  int looks = 0;
  const auto count = [&] { return ++looks, uint64_t{0}; };
  MemoryWatch never({.reserve = 0, .spare = count});
  never.Look(*store_);
  EXPECT_EQ(looks, 0);
  MemoryWatch seldom({.reserve = 1, .spare = count, .every_s = 1000});
  for (int i = 0; i < 10; ++i) seldom.Look(*store_);
  EXPECT_EQ(looks, 1);
}

}  // namespace
}  // namespace flashmoe
