#include "engine/read_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flashmoe {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr uint64_t kGB = 1'000'000'000;

// A model of 20 GB on a machine of 64 GB, all of its experts in memory, its file in the page cache.
ReadPlanInputs Roomy() {
  return {.file_bytes = 20 * kGB,
          .available = 64 * kGB,
          .planned = 22 * kGB,
          .cached = 1,
          .slots = 1000,
          .slots_all = 1000};
}

DeviceProfile Disk() {
  return {.reader = ReaderKind::kUring,
          .depth = 8,
          .read_bytes = 589'824,
          .gbps = 2.5,
          .latency_us = 300};
}

TEST(ReadPlanTest, ThePageCacheIsUsedWhereItTakesNothingFromAnybody) {
  const ReadPlan plan = MakeReadPlan(Roomy(), Disk());
  EXPECT_FALSE(plan.direct);
  EXPECT_THAT(plan.ToString(), AllOf(HasSubstr("Every expert"),
                                     HasSubstr("holds them and has room"), HasSubstr("20.0 GB"),
                                     HasSubstr("22.0 GB"), HasSubstr("2.50 GB/s by uring direct")));
}

TEST(ReadPlanTest, ItIsLeftAloneWhereFileAndPlanDoNotFitTogether) {
  ReadPlanInputs in = Roomy();
  for (const uint64_t available : {46 * kGB, 30 * kGB, 5 * kGB, uint64_t{0}}) {
    in.available = available;
    const ReadPlan plan = MakeReadPlan(in, Disk());
    EXPECT_TRUE(plan.direct) << available;
    EXPECT_THAT(plan.cache_why, HasSubstr("are more than"));
  }
  in.available = 47 * kGB;  // nine tenths of it hold both
  EXPECT_FALSE(MakeReadPlan(in, Disk()).direct);
}

TEST(ReadPlanTest, WhatItDoesNotHoldIsReadPastIt) {
  ReadPlanInputs in = Roomy();
  for (const double cached : {0.0, 0.5, 0.89}) {
    in.cached = cached;
    EXPECT_TRUE(MakeReadPlan(in, Disk()).direct) << cached;
    EXPECT_THAT(MakeReadPlan(in, Disk()).cache_why, HasSubstr("% of the experts"));
  }
  in.cached = 0.95;
  EXPECT_FALSE(MakeReadPlan(in, Disk()).direct);
}

TEST(ReadPlanTest, ABudgetIsNotGoneAround) {
  ReadPlanInputs in = Roomy();
  in.budget_given = true;
  const ReadPlan plan = MakeReadPlan(in, Disk());
  EXPECT_TRUE(plan.direct);
  EXPECT_THAT(plan.cache_why, HasSubstr("beyond the budget"));
}

TEST(ReadPlanTest, WhatTheUserAsksForIsDone) {
  ReadPlanInputs in = Roomy();
  in.cache = CacheMode::kDirect;
  EXPECT_TRUE(MakeReadPlan(in, Disk()).direct);
  in.available = kGB;
  in.budget_given = true;
  in.cache = CacheMode::kPage;
  EXPECT_FALSE(MakeReadPlan(in, Disk()).direct);
  in.cache = CacheMode::kDirect;
  in.direct_possible = false;
  EXPECT_FALSE(MakeReadPlan(in, Disk()).direct);
  in.direct_possible = true;
  in.io = ReaderKind::kMmap;
  const ReadPlan mapped = MakeReadPlan(in, {});
  EXPECT_FALSE(mapped.direct);
  EXPECT_EQ(mapped.reader_options().kind, ReaderKind::kMmap);
}

TEST(ReadPlanTest, TheReaderFollowsTheMeasurement) {
  DeviceProfile threads = Disk();
  threads.reader = ReaderKind::kPread;
  threads.depth = 6;
  ReadPlanInputs in = Roomy();
  const ReaderOptions options = MakeReadPlan(in, threads).reader_options();
  EXPECT_EQ(options.kind, ReaderKind::kPread);
  EXPECT_EQ(options.queue_depth, 6);
  in.io = ReaderKind::kUring;
  EXPECT_EQ(MakeReadPlan(in, threads).reader_options().kind, ReaderKind::kUring);
  in.io = ReaderKind::kAuto;
  EXPECT_EQ(MakeReadPlan(in, DeviceProfile{.why_not = "x"}).reader_options().kind,
            ReaderKind::kAuto);
  // A volume that does not like direct reads.
  in.budget_given = true;
  threads.direct = false;
  EXPECT_FALSE(MakeReadPlan(in, threads).direct);
}

// What was measured in an earlier run may be forbidden in this one, which nobody asked for by name.
TEST(ReadPlanTest, RingsAreNoMoreThanAWishUnlessAskedFor) {
  ReadPlanInputs in = Roomy();
  ASSERT_EQ(Disk().reader, ReaderKind::kUring);
  EXPECT_EQ(MakeReadPlan(in, Disk()).reader_options().kind, ReaderKind::kAuto);
  in.io = ReaderKind::kUring;
  EXPECT_EQ(MakeReadPlan(in, Disk()).reader_options().kind, ReaderKind::kUring);
}

TEST(ReadPlanTest, TheRegimeIsSaid) {
  ReadPlanInputs in = Roomy();
  EXPECT_THAT(MakeReadPlan(in, Disk()).regime, HasSubstr("Every expert has a place"));
  in.slots = 900;
  EXPECT_THAT(MakeReadPlan(in, Disk()).regime, HasSubstr("90 %"));
  in.slots = 200;
  EXPECT_THAT(MakeReadPlan(in, Disk()).regime, HasSubstr("20 %"));
}

TEST(ReadPlanTest, Names) {
  EXPECT_EQ(*CacheModeFromName("auto"), CacheMode::kAuto);
  EXPECT_EQ(*CacheModeFromName("direct"), CacheMode::kDirect);
  EXPECT_EQ(*CacheModeFromName("page"), CacheMode::kPage);
  EXPECT_THAT(CacheModeFromName("ram").error().ToString(), HasSubstr("auto, direct or page"));
}

}  // namespace
}  // namespace flashmoe
