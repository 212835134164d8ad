#include "experts/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "experts/ranked_experts.h"

namespace flashmoe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<CachePolicyKind> AllKinds() {
  std::vector<CachePolicyKind> kinds;
  for (const std::string& name : CachePolicyNames()) {
    kinds.push_back(CachePolicyFromName(name).value());
  }
  return kinds;
}

// A token that comes to a layer and chooses there.
void Token(CachePolicy& policy, int layer, std::initializer_list<ExpertKey> keys) {
  policy.BeginToken(layer);
  for (const ExpertKey key : keys) policy.Use(key);
}

// The layer's experts on offer, the first to go first. Withdraws them.
std::vector<ExpertKey> Order(CachePolicy& policy, int layer) {
  std::vector<ExpertKey> order;
  while (const auto candidate = policy.Cheapest(layer)) {
    order.push_back(candidate->key);
    policy.Withdraw(candidate->key);
  }
  return order;
}

void Offer(CachePolicy& policy, std::initializer_list<ExpertKey> keys) {
  for (const ExpertKey key : keys) policy.Offer(key);
}

TEST(CachePolicyTest, HasNames) {
  for (const std::string& name : CachePolicyNames()) {
    const auto kind = CachePolicyFromName(name);
    ASSERT_TRUE(kind.has_value());
    EXPECT_EQ(CachePolicyName(*kind), name);
  }
  const auto none = CachePolicyFromName("fifo");
  ASSERT_FALSE(none.has_value());
  EXPECT_THAT(none.error().ToString(), HasSubstr("lru"));
}

TEST(RankedExpertsTest, AgreesWithASearch) {
  constexpr int kLayers = 2, kExperts = 30;
  RankedExperts ranked(kLayers, kExperts);
  std::mt19937 random(1);
  std::vector<bool> in(kLayers * kExperts);
  for (int step = 0; step < 50'000; ++step) {
    const auto key = static_cast<ExpertKey>(random() % (kLayers * kExperts));
    if (random() % 2 == 0) {
      ranked.SetRank(key, static_cast<double>(random() % 20));
    } else {
      in[key] ? ranked.Remove(key) : ranked.Add(key);
      in[key] = !in[key];
    }
    const int layer = ranked.LayerOf(key);
    std::optional<ExpertKey> lowest;
    for (auto other = static_cast<ExpertKey>(layer * kExperts);
         other < static_cast<ExpertKey>((layer + 1) * kExperts); ++other) {
      ASSERT_EQ(ranked.Contains(other), in[other]);
      if (in[other] && (!lowest || ranked.rank(other) < ranked.rank(*lowest))) lowest = other;
    }
    ASSERT_EQ(ranked.Lowest(layer), lowest);
  }
}

TEST(CachePolicyTest, OffersWithdrawsAndKeepsLayersApart) {
  for (const CachePolicyKind kind : AllKinds()) {
    SCOPED_TRACE(CachePolicyName(kind));
    auto policy = MakeCachePolicy(kind, {2, 4, 2});
    EXPECT_FALSE(policy->Cheapest(0).has_value());
    Token(*policy, 0, {1, 2});
    Token(*policy, 1, {5, 6});
    Token(*policy, 0, {2, 3});
    Offer(*policy, {3, 1, 2, 0, 5});  // 0 was guessed and never used
    EXPECT_EQ(policy->Cheapest(0)->key, 0u);
    EXPECT_EQ(policy->Cheapest(1)->key, 5u);
    policy->Withdraw(5);
    EXPECT_FALSE(policy->Cheapest(1).has_value());
    EXPECT_EQ(Order(*policy, 0).front(), 0u);
  }
}

TEST(CachePolicyTest, Lru2LooksAtTheLastUseButOne) {
  auto policy = MakeCachePolicy(CachePolicyKind::kLru2, {1, 8, 1});
  for (const ExpertKey key : {1u, 2u, 3u, 2u, 1u, 4u}) Token(*policy, 0, {key});
  Offer(*policy, {1, 2, 3, 4});
  EXPECT_THAT(Order(*policy, 0), ElementsAre(3, 4, 1, 2));
}

TEST(CachePolicyTest, FrequencyOutweighsOneRecentUse) {
  for (const auto kind : {CachePolicyKind::kLfu, CachePolicyKind::kLrfu, CachePolicyKind::kDue}) {
    auto policy = MakeCachePolicy(kind, {1, 8, 1});
    for (const ExpertKey key : {1u, 1u, 1u, 2u}) Token(*policy, 0, {key});
    Offer(*policy, {1, 2});
    EXPECT_THAT(Order(*policy, 0), ElementsAre(2, 1)) << CachePolicyName(kind);
  }
}

TEST(CachePolicyTest, FrequencyIsForgotten) {
  // The half-life is 8 tokens, of "lfu" 256.
  const auto order = [](CachePolicyKind kind, int tokens) {
    auto policy = MakeCachePolicy(kind, {1, 8, 1});
    for (int i = 0; i < 16; ++i) Token(*policy, 0, {1});
    for (int i = 0; i < tokens; ++i) Token(*policy, 0, {static_cast<ExpertKey>(3 + i % 4)});
    Token(*policy, 0, {2});
    Offer(*policy, {1, 2});
    return Order(*policy, 0);
  };
  for (const auto kind : {CachePolicyKind::kLrfu, CachePolicyKind::kDue}) {
    EXPECT_THAT(order(kind, 4), ElementsAre(2, 1)) << CachePolicyName(kind);
    EXPECT_THAT(order(kind, 40), ElementsAre(1, 2)) << CachePolicyName(kind);
  }
  EXPECT_THAT(order(CachePolicyKind::kLfu, 40), ElementsAre(2, 1));
  EXPECT_THAT(order(CachePolicyKind::kLfu, 2000), ElementsAre(1, 2));
}

// A chunk has passed layer 0 and not yet layer 1: nothing of layer 1 is older for that.
TEST(CachePolicyTest, DueKnowsEachLayersTime) {
  const auto cheaper = [](CachePolicyKind kind) {
    auto policy = MakeCachePolicy(kind, {2, 8, 2});
    for (int token = 0; token < 100; ++token) {
      for (const ExpertKey layer : {0u, 1u}) {
        Token(*policy, static_cast<int>(layer), {8 * layer, 8 * layer + 1 + token % 2u});
      }
    }
    for (int token = 0; token < 100; ++token) Token(*policy, 0, {0, 1 + token % 2u});
    Offer(*policy, {1, 8});  // chosen by every second token, and by all
    return policy->Cheapest(0)->worth < policy->Cheapest(1)->worth ? 0 : 1;
  };
  EXPECT_EQ(cheaper(CachePolicyKind::kDue), 0);
  EXPECT_EQ(cheaper(CachePolicyKind::kLrfu), 1);
  EXPECT_EQ(cheaper(CachePolicyKind::kLru), 1);
}

TEST(CachePolicyTest, DueTakesFromTheLayerWhoseTurnIsLast) {
  auto policy = MakeCachePolicy(CachePolicyKind::kDue, {3, 4, 1});
  for (int turn = 0; turn < 300 + 2; ++turn) {  // the last one is layer 1's
    Token(*policy, turn % 3, {static_cast<ExpertKey>(4 * (turn % 3))});
  }
  Offer(*policy, {0, 4, 8});
  const auto worth = [&](int layer) { return policy->Cheapest(layer)->worth; };
  EXPECT_LT(worth(1), worth(0));
  EXPECT_LT(worth(0), worth(2));
}

TEST(CachePolicyTest, SurvivesMillionsOfTokens) {
  for (const CachePolicyKind kind : AllKinds()) {
    auto policy = MakeCachePolicy(kind, {1, 4, 2});
    for (int token = 0; token < 1'000'000; ++token) {
      Token(*policy, 0, {0, token % 8 == 0 ? 1u : 2u});
    }
    Offer(*policy, {0, 1, 2, 3});
    EXPECT_EQ(Order(*policy, 0).front(), 3u) << CachePolicyName(kind);
    Offer(*policy, {0, 1});
    EXPECT_THAT(Order(*policy, 0), ElementsAre(1, 0)) << CachePolicyName(kind);
  }
}

}  // namespace
}  // namespace flashmoe
