#include "io/read_timer.h"

#include <gtest/gtest.h>

#include <memory>

#include "io/sim_reader.h"
#include "io/test_file.h"

namespace flashmoe {
namespace {

constexpr uint64_t kReadBytes = 64 << 10;

class ReadTimerTest : public ::testing::Test {
 protected:
  std::unique_ptr<AsyncReader> Simulated(const SimOptions& options) {
    return std::make_unique<SimReader>(
        *MakeReader({.kind = ReaderKind::kPread, .direct = true, .queue_depth = 8}), options);
  }

  const TestFile test_{::testing::TempDir(), 8 << 20};
  const File& file_ = *test_.file();
};

TEST_F(ReadTimerTest, CountsWhatArrivedAndLeavesNothingInFlight) {
  if (file_.direct_fd() < 0) GTEST_SKIP() << "no reads past the page cache here";
  auto timer = ReadTimer::Create(file_, kReadBytes, 16 * kReadBytes);
  ASSERT_TRUE(timer.has_value());
  EXPECT_EQ(timer->places(), 16u);
  const auto reader = Simulated({.bytes_per_s = 20e6});
  const auto timed = timer->Run(*reader, 4, 0.1);
  ASSERT_TRUE(timed.has_value()) << timed.error().ToString();
  EXPECT_EQ(reader->in_flight(), 0u);
  EXPECT_EQ(timed->bytes % kReadBytes, 0u);
  EXPECT_GT(timed->bytes, 0u);
  EXPECT_GT(timed->seconds, 0);

  const auto alone = timer->RunOne(*reader);
  ASSERT_TRUE(alone.has_value());
  EXPECT_GE(*alone, kReadBytes / 20e6 * 0.9);
}

TEST_F(ReadTimerTest, BesideSomethingElseItReadsWhatIsDueAndNoMore) {
  auto timer = ReadTimer::Create(file_, kReadBytes, 16 * kReadBytes);
  ASSERT_TRUE(timer.has_value());
  const auto reader = Simulated({});
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(timer->Continue(*reader, 4, 0).has_value());
    EXPECT_EQ(timer->started_bytes(), 0u) << "nothing is due";
    ASSERT_TRUE(timer->Continue(*reader, 4, 2 * kReadBytes).has_value());
    EXPECT_EQ(timer->started_bytes(), 2 * kReadBytes);
    ASSERT_TRUE(timer->Drain(*reader).has_value());
    EXPECT_EQ(reader->in_flight(), 0u);
  }
  ASSERT_TRUE(timer->Continue(*reader, 4, 100 * kReadBytes).has_value());
  EXPECT_EQ(timer->started_bytes(), 4 * kReadBytes) << "no more at once";
  ASSERT_TRUE(timer->Drain(*reader).has_value());
}

TEST_F(ReadTimerTest, ADiskThatFailsIsAnError) {
  auto timer = ReadTimer::Create(file_, kReadBytes, 4 * kReadBytes);
  ASSERT_TRUE(timer.has_value());
  const auto reader = Simulated({.error_rate = 1});
  EXPECT_FALSE(timer->Run(*reader, 2, 0.05).has_value());

  timer = ReadTimer::Create(file_, kReadBytes, 4 * kReadBytes);
  ASSERT_TRUE(timer.has_value());
  const auto other = Simulated({.error_rate = 1});
  EXPECT_FALSE(timer->Continue(*other, 2, kReadBytes).has_value() &&
               timer->Drain(*other).has_value());
}

TEST(TimedBytesTest, SumsAreWeighedByTime) {
  TimedBytes sum{.bytes = 100, .seconds = 1};
  sum += {.bytes = 500, .seconds = 1};
  EXPECT_EQ(sum.per_s(), 300);
  EXPECT_EQ(TimedBytes().per_s(), 0);
}

}  // namespace
}  // namespace flashmoe
