#include "experts/cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace flashmoe {
namespace {

TEST(LruPolicyTest, RanksByLastUseWhateverTheOrderOfOffers) {
  auto policy = MakeCachePolicy(CachePolicyKind::kLru, {2, 4, 1});
  EXPECT_FALSE(policy->Cheapest(0).has_value());
  for (const ExpertKey key : {2u, 0u, 3u, 1u, 5u}) policy->Use(key);
  for (const ExpertKey key : {1u, 2u, 3u, 0u, 5u}) policy->Offer(key);
  policy->Use(2);  // while on offer
  std::vector<ExpertKey> order;
  while (const auto candidate = policy->Cheapest(0)) {
    order.push_back(candidate->key);
    policy->Withdraw(candidate->key);
  }
  EXPECT_THAT(order, ::testing::ElementsAre(0, 3, 1, 2));
  EXPECT_EQ(policy->Cheapest(1)->key, 5u);
}

TEST(LruPolicyTest, WorthComparesBetweenLayers) {
  auto policy = MakeCachePolicy(CachePolicyKind::kLru, {2, 4, 1});
  for (const ExpertKey key : {6u, 1u}) {
    policy->Use(key);
    policy->Offer(key);
  }
  EXPECT_LT(policy->Cheapest(1)->worth, policy->Cheapest(0)->worth);
}

TEST(LruPolicyTest, AgreesWithASortedList) {
  constexpr int kExperts = 30;
  auto policy = MakeCachePolicy(CachePolicyKind::kLru, {1, kExperts, 1});
  std::mt19937 random(1);
  std::vector<uint64_t> used(kExperts);
  std::vector<ExpertKey> offered;
  uint64_t now = 0;
  for (int step = 0; step < 20'000; ++step) {
    const ExpertKey key = random() % kExperts;
    const auto at = std::ranges::find(offered, key);
    if (random() % 2 == 0) {
      policy->Use(key);
      used[key] = ++now;
    } else if (at == offered.end()) {
      policy->Offer(key);
      offered.push_back(key);
    } else {
      policy->Withdraw(key);
      offered.erase(at);
    }
    const auto cheapest = policy->Cheapest(0);
    ASSERT_EQ(cheapest.has_value(), !offered.empty());
    if (cheapest.has_value()) {
      const ExpertKey expected =
          *std::ranges::min_element(offered, {}, [&](ExpertKey k) { return used[k]; });
      ASSERT_EQ(used[cheapest->key], used[expected]);
      ASSERT_TRUE(std::ranges::count(offered, cheapest->key));
    }
  }
}

class ExpertCacheTest : public ::testing::Test {
 protected:
  // Three layers of eight experts, six slots.
  explicit ExpertCacheTest(int floor = 2)
      : cache_(3, 8, 6, floor, MakeCachePolicy(CachePolicyKind::kLru, {3, 8, floor})) {}

  ExpertCache cache_;

  // Reads an expert; its slot, not pinned any more.
  uint32_t Load(int layer, int expert) {
    const ExpertKey key = cache_.KeyOf(layer, expert);
    cache_.Use(key);
    const auto slot = cache_.Take(key);
    EXPECT_TRUE(slot.has_value());
    cache_.Arrived(*slot);
    cache_.Unpin(*slot);
    return *slot;
  }
  bool Holds(int layer, int expert) {
    return cache_.Find(cache_.KeyOf(layer, expert)) != ExpertCache::kNoSlot;
  }
};

TEST_F(ExpertCacheTest, TakesFreeSlotsThenTheOldest) {
  for (int expert = 0; expert < 6; ++expert) Load(0, expert);
  EXPECT_EQ(cache_.used(), 6u);
  cache_.Use(cache_.KeyOf(0, 0));
  Load(1, 0);
  EXPECT_TRUE(Holds(0, 0));
  EXPECT_FALSE(Holds(0, 1));
  EXPECT_EQ(cache_.held(0), 5);
  EXPECT_EQ(cache_.held(1), 1);
}

TEST_F(ExpertCacheTest, OtherLayersCannotGoBelowTheFloor) {
  Load(0, 0);
  Load(0, 1);
  Load(1, 0);  // below its floor, and the whole of it stays
  for (int expert = 0; expert < 8; ++expert) Load(2, expert);
  EXPECT_TRUE(Holds(0, 0) && Holds(0, 1) && Holds(1, 0));
  EXPECT_EQ(cache_.held(2), 3);
  EXPECT_TRUE(Holds(2, 5) && Holds(2, 6) && Holds(2, 7));
  // The layer itself may replace what it holds.
  Load(0, 2);
  EXPECT_TRUE(Holds(0, 2));
  EXPECT_FALSE(Holds(0, 0)) << "the oldest of all";
  EXPECT_TRUE(Holds(2, 5));
}

TEST_F(ExpertCacheTest, PinnedAndArrivingSlotsStay) {
  std::vector<uint32_t> slots;
  for (int expert = 0; expert < 5; ++expert) slots.push_back(Load(0, expert));
  const auto arriving = cache_.Take(cache_.KeyOf(0, 5));
  ASSERT_TRUE(arriving.has_value());
  EXPECT_FALSE(cache_.resident(*arriving));
  for (int expert = 1; expert < 5; ++expert) cache_.Pin(slots[expert]);
  Load(1, 0);
  EXPECT_FALSE(Holds(0, 0));
  EXPECT_TRUE(Holds(0, 5));
  cache_.Pin(cache_.Find(cache_.KeyOf(1, 0)));
  EXPECT_FALSE(cache_.Take(cache_.KeyOf(1, 1)).has_value());
  cache_.Pin(slots[3]);
  cache_.Unpin(slots[3]);
  EXPECT_FALSE(cache_.Take(cache_.KeyOf(1, 1)).has_value()) << "pinned twice, let go once";
  cache_.Unpin(slots[3]);
  EXPECT_EQ(cache_.Take(cache_.KeyOf(1, 1)), slots[3]);
}

class LimitedCacheTest : public ExpertCacheTest {
 protected:
  LimitedCacheTest() : ExpertCacheTest(1) {
    for (int expert = 0; expert < 6; ++expert) Load(expert / 2, expert);
  }
};

TEST_F(LimitedCacheTest, ForgetsWhatTheLastSlotsHeld) {
  const ExpertKey gone = cache_.key(5), kept = cache_.key(3);
  cache_.Limit(4);
  EXPECT_EQ(cache_.slots(), 4u);
  EXPECT_EQ(cache_.used(), 4u);
  EXPECT_EQ(cache_.Find(gone), ExpertCache::kNoSlot);
  EXPECT_EQ(cache_.Find(kept), 3u);
  EXPECT_LT(Load(1, 7), 4u);
  cache_.Limit(6);
  EXPECT_EQ(cache_.used(), 4u);
  EXPECT_GE(Load(0, 7), 4u) << "a slot that was taken away and given again is free";
  EXPECT_EQ(cache_.used(), 5u);
}

TEST_F(LimitedCacheTest, StopsAboveWhatIsPinnedOrArrives) {
  cache_.Pin(4);
  cache_.Limit(3);
  EXPECT_EQ(cache_.slots(), 5u);
  cache_.Unpin(4);
  const auto arriving = cache_.Take(cache_.KeyOf(0, 7));
  ASSERT_TRUE(arriving.has_value());
  cache_.Limit(3);
  EXPECT_EQ(cache_.slots(), std::max(3u, *arriving + 1));
  cache_.Drop(*arriving);
  cache_.Limit(3);
  EXPECT_EQ(cache_.slots(), 3u);
  EXPECT_LE(cache_.used(), 3u);
}

TEST_F(ExpertCacheTest, DroppedSlotIsFree) {
  const auto slot = cache_.Take(cache_.KeyOf(2, 2));
  EXPECT_EQ(cache_.key(*slot), cache_.KeyOf(2, 2));
  cache_.Drop(*slot);
  EXPECT_FALSE(Holds(2, 2));
  EXPECT_EQ(cache_.used(), 0u);
  EXPECT_EQ(cache_.held(2), 0);
}

}  // namespace
}  // namespace flashmoe
