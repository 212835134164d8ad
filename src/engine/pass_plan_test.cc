#include "engine/pass_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace flashmoe {
namespace {

using testing::ElementsAre;

constexpr PassCandidate Answering(int64_t at) { return {at, at + 1, false}; }
constexpr PassCandidate Reading(int64_t at, int64_t stop) { return {at, stop, true}; }

std::vector<int64_t> Plan(std::vector<PassCandidate> candidates, int64_t tokens_max,
                          int64_t prompt_tokens) {
  return PlanPass(candidates, tokens_max, prompt_tokens);
}

TEST(PassPlanTest, AnswersTakeOneTokenAndPromptsASlice) {
  EXPECT_THAT(Plan({Answering(70), Reading(0, 1000), Answering(3)}, 516, 256),
              ElementsAre(1, 256, 1));
  EXPECT_THAT(Plan({Reading(0, 1000)}, 512, 512), ElementsAre(512));
  EXPECT_THAT(Plan({Reading(960, 1000)}, 512, 64), ElementsAre(40)) << "the prompt's end";
}

TEST(PassPlanTest, SlicesEndAtMultiplesOf64OrTheirStop) {
  EXPECT_THAT(Plan({Reading(10, 1000)}, 512, 128), ElementsAre(118));
  EXPECT_THAT(Plan({Reading(0, 128)}, 512, 512), ElementsAre(128));
  EXPECT_THAT(Plan({Answering(9), Reading(0, 500)}, 66, 64), ElementsAre(1, 64));
}

TEST(PassPlanTest, AShortPromptDoesNotWaitForALongOne) {
  EXPECT_THAT(Plan({Reading(0, 100'000), Reading(0, 30)}, 516, 256), ElementsAre(192, 30));
  EXPECT_THAT(Plan({Reading(0, 1000), Reading(0, 1000)}, 516, 256), ElementsAre(128, 128));
  EXPECT_THAT(Plan({Reading(0, 1000), Reading(0, 1000)}, 516, 64), ElementsAre(64, 0))
      << "one after the other where there is little";
}

TEST(PassPlanTest, WhoMayNotTakePartDoesNot) {
  EXPECT_THAT(Plan({PassCandidate{7, 7, false}, Answering(3)}, 66, 64), ElementsAre(0, 1));
}

TEST(PassPlanTest, EveryPlanKeepsItsLimitsAndGoesOn) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<PassCandidate> candidates(1 + random() % 8);
    int64_t answering = 0;
    for (PassCandidate& c : candidates) {
      c.position = static_cast<int64_t>(random() % 500);
      c.reading = random() % 2 == 0;
      c.stop = c.position + (c.reading ? 1 + static_cast<int64_t>(random() % 400) : 1);
      answering += c.reading ? 0 : 1;
    }
    const int64_t prompt_tokens = 64 * (1 + static_cast<int64_t>(random() % 5));
    const int64_t tokens_max = 64 + 8 + static_cast<int64_t>(random() % 300);
    const auto slices = PlanPass(candidates, tokens_max, prompt_tokens);
    int64_t read = 0;
    for (size_t i = 0; i < slices.size(); ++i) {
      const PassCandidate& c = candidates[i];
      const int64_t end = c.position + slices[i];
      ASSERT_LE(end, c.stop);
      ASSERT_TRUE(slices[i] == 0 || end == c.stop || end % 64 == 0) << c.position;
      if (c.reading) read += slices[i];
      if (!c.reading) {
        ASSERT_EQ(slices[i], 1);
      }
    }
    ASSERT_LE(read, std::min(prompt_tokens, tokens_max - answering));
    ASSERT_GT(read + answering, 0);
    if (answering < std::ssize(candidates)) {
      ASSERT_GT(read, 0) << "no prompt stands still";
    }
  }
}

TEST(PassCostTest, WhatIsCheapIsNotCut) {
  PassCost cost;
  for (const int64_t tokens : {64, 128, 512, 1024}) {
    cost.Note(tokens, 0.001 * static_cast<double>(tokens));
  }
  EXPECT_NEAR(static_cast<double>(cost.Affordable(0.5)), 500, 64);
}

TEST(PassCostTest, WhereReadingExpertsTakesLongSlicesAreLong) {
  PassCost cost;
  for (const int64_t tokens : {64, 128, 512, 256}) {
    cost.Note(tokens, 10 + 0.005 * static_cast<double>(tokens));
  }
  EXPECT_NEAR(static_cast<double>(cost.Affordable(0.5)), 2000, 128) << "doubles the ten seconds";
}

TEST(PassCostTest, StartsSmallAndCopesWithEqualSteps) {
  PassCost cost;
  EXPECT_GE(cost.Affordable(0.5), 64);
  for (int i = 0; i < 50; ++i) cost.Note(128, 1);
  EXPECT_EQ(cost.Affordable(0.5), 64);
  EXPECT_EQ(cost.Affordable(1e9), 1'000'000) << "a bound for everything";
  EXPECT_EQ(cost.Affordable(0), 64);
}

}  // namespace
}  // namespace flashmoe
