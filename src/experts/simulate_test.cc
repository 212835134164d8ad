#include "experts/simulate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <map>
#include <random>

#include "experts/policy.h"
#include "experts/trace_stats.h"

namespace flashmoe {
namespace {

using testing::HasSubstr;

std::vector<std::string> AllNames() {
  std::vector<std::string> names = CachePolicyNames();
  names.emplace_back(kBelady);
  return names;
}

ReplayResult MustReplay(const RoutingTrace& trace, std::string_view policy,
                        const ReplayOptions& options) {
  const auto result = Replay(trace, policy, options);
  EXPECT_TRUE(result.has_value()) << result.error().ToString();
  return result.value_or(ReplayResult{});
}

RoutingTrace EmberWide() {
  const auto trace = ReadTrace(FLASHMOE_TEST_DATA "/routing/ember-wide-text.bin");
  EXPECT_TRUE(trace.has_value()) << trace.error().ToString();
  return trace.value();
}

// One layer of five experts, one a token.
RoutingTrace Letters(std::vector<uint16_t> ids) {
  const auto tokens = static_cast<uint32_t>(ids.size());
  return {1, tokens, 1, 1, 5, std::move(ids)};
}

// The textbook's: by hand, three slots.
TEST(ReplayTest, CountsWhatOneCountsByHand) {
  const RoutingTrace trace = Letters({0, 1, 2, 3, 0, 1, 4, 0, 1, 2, 3, 4});
  EXPECT_EQ(MustReplay(trace, "lru", {.slots = 3}).decode.hits, 2u);
  EXPECT_EQ(MustReplay(trace, kBelady, {.slots = 3}).decode.hits, 5u);
  const ReplayCount count = MustReplay(trace, "lru", {.slots = 3}).decode;
  EXPECT_EQ(count.tokens, 12u);
  EXPECT_EQ(count.requests, 12u);
  EXPECT_NEAR(count.hit_rate(), 2.0 / 12, 1e-12);
  EXPECT_NEAR(count.reads_per_token(), 10.0 / 12, 1e-12);
}

// The least misses there can be, by trying every choice of victim.
uint64_t LeastMisses(const RoutingTrace& trace, uint32_t slots, size_t at, uint32_t held,
                     std::map<std::pair<size_t, uint32_t>, uint64_t>& known) {
  if (at == trace.ids.size()) return 0;
  const auto found = known.find({at, held});
  if (found != known.end()) return found->second;
  const uint32_t wanted = 1u << trace.ids[at];
  uint64_t best = UINT64_MAX;
  if (held & wanted) {
    best = LeastMisses(trace, slots, at + 1, held, known);
  } else if (static_cast<uint32_t>(std::popcount(held)) < slots) {
    best = 1 + LeastMisses(trace, slots, at + 1, held | wanted, known);
  } else {
    for (uint32_t victim = 1; victim < 32; victim *= 2) {
      if ((held & victim) == 0) continue;
      best = std::min(best, 1 + LeastMisses(trace, slots, at + 1, (held ^ victim) | wanted, known));
    }
  }
  known[{at, held}] = best;
  return best;
}

TEST(ReplayTest, BeladyIsTheOptimum) {
  std::mt19937 random(3);
  for (int round = 0; round < 20; ++round) {
    std::vector<uint16_t> ids(40);
    for (uint16_t& id : ids) id = static_cast<uint16_t>(random() % 5);
    const RoutingTrace trace = Letters(std::move(ids));
    for (const uint32_t slots : {1u, 2u, 3u, 4u}) {
      std::map<std::pair<size_t, uint32_t>, uint64_t> known;
      const ReplayCount count = MustReplay(trace, kBelady, {.slots = slots}).decode;
      ASSERT_EQ(count.requests - count.hits, LeastMisses(trace, slots, 0, 0, known));
    }
  }
}

TEST(ReplayTest, NoPolicyBeatsBeladyOnRealRouting) {
  const RoutingTrace trace = EmberWide();
  for (const uint32_t prompt : {0u, 768u}) {
    for (const uint32_t slots : {77u, 384u, 768u}) {
      const ReplayOptions options{.slots = slots, .prompt_tokens = prompt, .chunk_tokens = 256};
      const auto hits = [&](std::string_view policy) {
        const ReplayResult result = MustReplay(trace, policy, options);
        EXPECT_EQ(result.prompt.tokens, prompt);
        EXPECT_EQ(result.decode.tokens, 1024 - prompt);
        EXPECT_EQ(result.decode.requests, (1024 - prompt) * 48u);
        return result.prompt.hits + result.decode.hits;
      };
      const uint64_t most = hits(kBelady);
      for (const std::string& policy : CachePolicyNames()) EXPECT_LE(hits(policy), most) << policy;
    }
  }
}

// What the default was chosen for; docs/decisions/0009-cache-policy.md has the whole table.
TEST(ReplayTest, TheDefaultHitsMoreThanLru) {
  const RoutingTrace trace = EmberWide();
  const std::string_view best = CachePolicyName(kDefaultCachePolicy);
  for (const uint32_t slots : {77u, 154u, 384u, 768u}) {
    const double lru = MustReplay(trace, "lru", {.slots = slots}).decode.hit_rate();
    EXPECT_GT(MustReplay(trace, best, {.slots = slots}).decode.hit_rate(), lru) << slots;
  }
  // After a long prompt, too.
  const ReplayOptions prompt{.slots = 384, .prompt_tokens = 960, .chunk_tokens = 512};
  EXPECT_GT(MustReplay(trace, best, prompt).decode.hit_rate(),
            MustReplay(trace, "lru", prompt).decode.hit_rate());
}

TEST(ReplayTest, AllInMemoryMissesEachExpertOnce) {
  const RoutingTrace trace = EmberWide();
  uint64_t used = 0;
  for (const LayerRouting& layer : DescribeRouting(trace)) used += layer.used;
  for (const std::string& policy : AllNames()) {
    const ReplayCount count = MustReplay(trace, policy, {.slots = 12 * 128}).decode;
    EXPECT_EQ(count.requests - count.hits, used) << policy;
  }
}

TEST(ReplayTest, ChunksAskOnceForAnExpertAndPassThroughTheSmallestCache) {
  const RoutingTrace trace = EmberWide();
  for (const uint32_t at_once : {0u, 8u}) {
    for (const std::string& policy : AllNames()) {
      const ReplayResult result = MustReplay(trace, policy,
                                             {.slots = static_cast<uint32_t>(ReplaySlotsMin(trace)),
                                              .prompt_tokens = 2000,
                                              .misses_at_once = at_once});
      EXPECT_EQ(result.decode.tokens, 0u);
      EXPECT_LE(result.prompt.requests, 2u * 12 * 128);
      EXPECT_GT(result.prompt.requests, 2u * 12 * 64);
    }
  }
}

TEST(ReplayTest, RefusesWhatCannotBe) {
  const RoutingTrace trace = Letters({0, 1});
  EXPECT_THAT(Replay(trace, "lru", {.slots = 0}).error().ToString(), HasSubstr("too few"));
  EXPECT_THAT(Replay(trace, "best", {.slots = 1}).error().ToString(), HasSubstr("'best'"));
  EXPECT_FALSE(Replay(trace, "lru", {.slots = 1, .chunk_tokens = 0}).has_value());
  CancelFlag cancel;
  cancel.Set();
  EXPECT_EQ(Replay(trace, "lru", {.slots = 1, .cancel = &cancel}).error().code,
            ErrorCode::kCancelled);
}

TEST(DescribeRoutingTest, CountsWhatOneCountsByHand) {
  const LayerRouting layer = DescribeRouting(Letters({0, 0, 0, 1, 1, 2})).front();
  EXPECT_EQ(layer.used, 3u);
  EXPECT_NEAR(layer.busiest, 0.5, 1e-12);
  EXPECT_NEAR(layer.repeats, 0.6, 1e-12);
  for (const double distinct : layer.working_set) EXPECT_NEAR(distinct, 3, 1e-12);
}

TEST(DescribeRoutingTest, StretchesEndWithTheirSequence) {
  RoutingTrace trace = Letters({});
  trace.sequences = 2;
  trace.tokens = 20;
  for (uint16_t i = 0; i < 40; ++i) trace.ids.push_back(i < 16 ? 0 : i < 20 ? i % 2 : i % 4);
  const LayerRouting layer = DescribeRouting(trace).front();
  EXPECT_NEAR(layer.working_set[0], (1 + 2 + 4 + 4) / 4.0, 1e-12);
  EXPECT_NEAR(layer.working_set[1], (2 + 4) / 2.0, 1e-12);
}

}  // namespace
}  // namespace flashmoe
