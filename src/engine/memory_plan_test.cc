#include "engine/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace flashmoe {
namespace {

using testing::HasSubstr;

constexpr uint64_t kMb = 1'000'000;

// A model of 10 GB: 1 GB for every token, 40 layers of 256 experts, 8 a token.
PlanInputs Inputs(uint64_t budget) {
  PlanInputs in;
  in.budget = budget;
  in.available = 16000 * kMb;
  in.process = 50 * kMb;
  in.dense = 1000 * kMb;
  in.state_fixed = 60 * kMb;
  in.state_per_position = 20'000;
  in.scratch_fixed = 3 * kMb;
  in.scratch_per_token = 100'000;
  in.scratch_per_block_token = 100'000;
  in.block_tokens = 512;
  in.scratch_per_position = 16;
  in.slot = 900'000;
  in.slots_min = 40 * 8;
  in.slots_all = 40 * 256;
  in.context_max = 262'144;
  return in;
}

uint64_t NamedBudget(const Error& error) {
  const size_t at = error.hint.find("--memory ");
  return at == std::string::npos ? 0
                                 : std::strtoull(error.hint.c_str() + at + 9, nullptr, 10) * kMb;
}

TEST(MemoryPlanTest, PartsAddUpAndStayWithinTheBudget) {
  for (uint64_t budget = 1500 * kMb; budget < 14000 * kMb; budget += 77 * kMb) {
    const PlanInputs in = Inputs(budget);
    const auto plan = MakePlan(in);
    ASSERT_TRUE(plan.has_value()) << plan.error().ToString();
    EXPECT_EQ(plan->budget, budget);
    EXPECT_TRUE(plan->budget_given);
    EXPECT_LE(plan->total(), budget);
    EXPECT_EQ(plan->dense, in.dense);
    EXPECT_EQ(plan->state,
              in.state_fixed + static_cast<uint64_t>(plan->context) * in.state_per_position);
    EXPECT_EQ(plan->experts, plan->slots * in.slot);
    EXPECT_GE(plan->slots, in.slots_min);
    // Nothing that would hold one more expert is left over.
    if (!plan->all_resident()) {
      EXPECT_GT(plan->total() + in.slot, budget);
    }
  }
}

TEST(MemoryPlanTest, AWishIsRaisedToWhatWorks) {
  PlanInputs in = Inputs(0);
  in.wish = 4000 * kMb;
  auto plan = MakePlan(in);
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->budget, 4000 * kMb);
  EXPECT_FALSE(plan->budget_given);

  in.wish = 100 * kMb;
  plan = MakePlan(in);
  ASSERT_TRUE(plan.has_value());
  in.wish = 0;
  in.budget = plan->budget;
  EXPECT_TRUE(MakePlan(in).has_value());
  in.budget = plan->budget - 2 * kMb;
  EXPECT_FALSE(MakePlan(in).has_value());

  in.budget = 0;
  in.wish = 100 * kMb;
  in.available = 200 * kMb;
  EXPECT_FALSE(MakePlan(in).has_value()) << "more than the machine has";
}

TEST(MemoryPlanTest, ChunksAreMultiplesOfTheDeltaBlock) {
  int64_t last = 0;
  for (uint64_t budget = 1500 * kMb; budget < 3000 * kMb; budget += 10 * kMb) {
    PlanInputs in = Inputs(budget);
    in.context = 1024;
    const auto plan = MakePlan(in);
    ASSERT_TRUE(plan.has_value()) << plan.error().ToString();
    EXPECT_EQ(plan->chunk_tokens % 64, 0);
    EXPECT_GE(plan->chunk_tokens, 64);
    EXPECT_GE(plan->chunk_tokens, last);
    last = plan->chunk_tokens;
  }
  EXPECT_EQ(last, 1024) << "no longer than the context";
}

TEST(MemoryPlanTest, ChunksAreAsLongAsThePromptIfMemoryAllows) {
  PlanInputs in = Inputs(8000 * kMb);
  const auto chunk = [&](int64_t needed) {
    in.context_needed = needed;
    const auto plan = MakePlan(in);
    return plan.has_value() ? plan->chunk_tokens : -1;
  };
  EXPECT_EQ(chunk(0), 2048);
  EXPECT_EQ(chunk(1), 64);
  EXPECT_EQ(chunk(700), 704);
  EXPECT_EQ(chunk(3000), 3008);
  EXPECT_EQ(chunk(100'000), 4096);
  in.budget = 1700 * kMb;
  EXPECT_GE(chunk(3000), 64);
  EXPECT_LT(chunk(3000), 1024) << "memory is short";
}

TEST(MemoryPlanTest, MoreMemoryNeverMeansLessOfEverything) {
  MemoryPlan last;
  for (uint64_t budget = 1500 * kMb; budget < 12000 * kMb; budget += 3 * kMb) {
    const auto plan = MakePlan(Inputs(budget));
    ASSERT_TRUE(plan.has_value()) << plan.error().ToString();
    EXPECT_GE(plan->context, last.context);
    // Longer chunks or a longer context may cost some slots, but not more than they take.
    EXPECT_GE(plan->experts + plan->scratch + plan->state + Inputs(0).slot,
              last.experts + last.scratch + last.state);
    last = *plan;
  }
  EXPECT_TRUE(last.all_resident());
}

TEST(MemoryPlanTest, CopiesOfRoutersAreHadWhereTheyTakeLittle) {
  const auto plan_with = [](uint64_t budget, uint64_t routers, bool wanted) {
    PlanInputs in = Inputs(budget);
    in.routers = routers;
    in.routers_wanted = wanted;
    return MakePlan(in);
  };
  const auto roomy = plan_with(6000 * kMb, 42 * kMb, false);
  ASSERT_TRUE(roomy.has_value());
  EXPECT_EQ(roomy->routers, 42 * kMb);
  EXPECT_LE(roomy->total(), 6000 * kMb);
  EXPECT_LT(roomy->slots, MakePlan(Inputs(6000 * kMb))->slots);

  const auto tight = plan_with(1700 * kMb, 42 * kMb, false);
  ASSERT_TRUE(tight.has_value());
  EXPECT_EQ(tight->routers, 0u);
  EXPECT_EQ(tight->slots, MakePlan(Inputs(1700 * kMb))->slots);
  EXPECT_EQ(plan_with(1700 * kMb, 42 * kMb, true)->routers, 42 * kMb);

  const auto all = plan_with(14000 * kMb, 42 * kMb, false);
  EXPECT_TRUE(all->all_resident());
  EXPECT_EQ(all->routers, 0u) << "there is nothing to guess";

  const auto refused = plan_with(1, 42 * kMb, true);
  ASSERT_FALSE(refused.has_value());
  EXPECT_GE(NamedBudget(refused.error()), NamedBudget(MakePlan(Inputs(1)).error()) + 41 * kMb);
}

TEST(MemoryPlanTest, SmallestBudgetIsNamedAndWorks) {
  for (const int64_t context : {0, 1024, 100'000}) {
    for (const uint64_t budget : {uint64_t{1}, 800 * kMb, 1200 * kMb}) {
      PlanInputs in = Inputs(budget);
      in.context = context;
      const auto refused = MakePlan(in);
      ASSERT_FALSE(refused.has_value());
      EXPECT_EQ(refused.error().code, ErrorCode::kOutOfMemory);
      const uint64_t named = NamedBudget(refused.error());
      ASSERT_GT(named, budget) << refused.error().ToString();
      in.budget = named;
      const auto plan = MakePlan(in);
      EXPECT_TRUE(plan.has_value()) << context << ": " << plan.error().ToString();
      in.budget = named - 3 * kMb;
      EXPECT_FALSE(MakePlan(in).has_value()) << context;
    }
  }
}

TEST(MemoryPlanTest, AskedContextIsKept) {
  PlanInputs in = Inputs(8000 * kMb);
  in.context = 5000;
  EXPECT_EQ(MakePlan(in)->context, 5000);
  in.context = 1'000'000;
  EXPECT_EQ(MakePlan(in)->context, in.context_max);
  in.context = 0;
  in.context_needed = 30'000;
  EXPECT_GE(MakePlan(in)->context, 30'000);
}

TEST(MemoryPlanTest, SequencesShareThePositions) {
  for (uint64_t budget = 2000 * kMb; budget < 14000 * kMb; budget += 177 * kMb) {
    PlanInputs in = Inputs(budget);
    in.sequences = 4;
    in.pass_extra = 4;
    const auto plan = MakePlan(in);
    ASSERT_TRUE(plan.has_value()) << plan.error().ToString();
    EXPECT_LE(plan->total(), budget);
    EXPECT_GE(plan->positions, plan->context);
    EXPECT_LE(plan->positions, 4 * plan->context);
    EXPECT_EQ(plan->state,
              4 * in.state_fixed + static_cast<uint64_t>(plan->positions) * in.state_per_position);
  }
  PlanInputs in = Inputs(14'000 * kMb);
  in.sequences = 4;
  EXPECT_EQ(MakePlan(in)->positions, 4 * MakePlan(in)->context);
  in.context = 50'000;
  EXPECT_GE(MakePlan(in)->positions, 50'000) << "one that is as long as asked fits anyway";
  EXPECT_LT(MakePlan(in)->positions, 4 * 50'000);
  in.sequences = 1;
  EXPECT_EQ(MakePlan(in)->positions, 50'000);
}

TEST(MemoryPlanTest, CheckpointsNeverTakeWhatTheModelNeeds) {
  PlanInputs in = Inputs(8000 * kMb);
  in.checkpoints = 300 * kMb;
  EXPECT_EQ(MakePlan(in)->checkpoints, 300 * kMb);
  EXPECT_LE(MakePlan(in)->total(), in.budget);
  EXPECT_LT(MakePlan(in)->slots, MakePlan(Inputs(in.budget))->slots);
  in.budget = 1700 * kMb;
  const auto tight = MakePlan(in);
  ASSERT_TRUE(tight.has_value());
  EXPECT_LT(tight->checkpoints, 100 * kMb);
  EXPECT_LE(tight->total(), in.budget);
  in.budget = 1;
  const uint64_t least = NamedBudget(MakePlan(in).error());
  EXPECT_EQ(least, NamedBudget(MakePlan(Inputs(1)).error())) << "they can be done without";
}

TEST(MemoryPlanTest, AWholeSequenceIsKeptWhereThatLeavesEnough) {
  PlanInputs in = Inputs(8000 * kMb);
  in.context = 8192;
  const uint64_t whole = 3 * in.state_fixed + 8192 * (in.state_per_position + 4);
  const auto without = MakePlan(in);
  EXPECT_FALSE(without->checkpoints_whole);
  EXPECT_EQ(without->checkpoints, 0u);
  in.checkpoints_whole = true;
  const auto roomy = MakePlan(in);
  EXPECT_TRUE(roomy->checkpoints_whole);
  EXPECT_EQ(roomy->checkpoints, whole);
  in.checkpoints = 700 * kMb;
  EXPECT_EQ(MakePlan(in)->checkpoints, in.state_fixed + 700 * kMb) << "more was asked for";
  in.checkpoints = 100 * kMb;
  for (uint64_t budget = 1600 * kMb; budget < 4000 * kMb; budget += 13 * kMb) {
    in.budget = budget;
    const auto plan = MakePlan(in);
    if (!plan.has_value()) continue;
    EXPECT_LE(plan->total(), budget);
    EXPECT_GE(plan->checkpoints, plan->checkpoints_whole ? whole : in.state_fixed);
    if (plan->checkpoints_whole) {
      EXPECT_GT(plan->experts, 2 * whole);
    }
  }
  in.budget = 1;
  const uint64_t least = NamedBudget(MakePlan(in).error());
  in.budget = least;
  const auto tight = MakePlan(in);
  ASSERT_TRUE(tight.has_value());
  EXPECT_FALSE(tight->checkpoints_whole);
  EXPECT_GE(tight->checkpoints, in.state_fixed) << "one place to return to";

  in.budget = 0;
  in.wish = 100 * kMb;
  const auto wished = MakePlan(in);
  EXPECT_TRUE(wished->checkpoints_whole) << "a wish is raised to it";
  EXPECT_GE(wished->checkpoints, whole);
  EXPECT_LE(wished->total(), wished->budget);
  EXPECT_LT(wished->budget, least + whole + 3 * kMb);
}

TEST(MemoryPlanTest, WithoutABudgetTakesWhatCanBeSpared) {
  PlanInputs in = Inputs(0);
  const auto plan = MakePlan(in);
  ASSERT_TRUE(plan.has_value());
  EXPECT_FALSE(plan->budget_given);
  EXPECT_LT(plan->total(), in.process + in.available);
  EXPECT_TRUE(plan->all_resident());
  in.available_in_group = true;
  EXPECT_GT(MakePlan(in)->budget, plan->budget) << "nobody else needs it there";
  EXPECT_LT(MakePlan(in)->budget, in.process + in.available);
  in.available = 500 * kMb;
  const auto refused = MakePlan(in);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().ToString(), HasSubstr("can be spared"));
}

}  // namespace
}  // namespace flashmoe
