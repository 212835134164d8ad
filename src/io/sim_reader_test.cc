#include "io/sim_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "base/clock.h"
#include "io/test_file.h"

namespace flashmoe {
namespace {

using ::testing::HasSubstr;

class SimReaderTest : public ::testing::Test {
 protected:
  std::unique_ptr<SimReader> Make(const SimOptions& options) {
    return std::make_unique<SimReader>(
        *MakeReader({.kind = ReaderKind::kPread, .direct = false, .queue_depth = 2}), options);
  }
  // Reads `count` blocks; the completions in their order of arrival.
  std::vector<ReadCompletion> ReadBlocks(AsyncReader& reader, uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      reader.Submit(
          {test_.file(), i * kBlockBytes, kBlockBytes, memory_.data() + i * kBlockBytes, i});
    }
    std::vector<ReadCompletion> done;
    while (reader.in_flight() > 0) reader.Reap(/*wait=*/true, done);
    return done;
  }
  TestFile test_{::testing::TempDir(), 1'000'000};
  Memory memory_ = *Memory::Allocate(1'048'576);
};

TEST_F(SimReaderTest, SameSeedSameFaults) {
  std::vector<uint64_t> failed[3];
  for (int run = 0; run < 3; ++run) {
    auto reader = Make({.seed = run == 2 ? 6u : 5u, .error_rate = 0.2, .hold_rate = 0.3});
    for (const ReadCompletion& completion : ReadBlocks(*reader, 200)) {
      if (!completion.status.has_value()) failed[run].push_back(completion.tag);
    }
    std::ranges::sort(failed[run]);
  }
  EXPECT_EQ(failed[0], failed[1]);
  EXPECT_NE(failed[0], failed[2]);
  EXPECT_GT(failed[0].size(), 15u);
  EXPECT_LT(failed[0].size(), 75u);
}

TEST_F(SimReaderTest, FaultsReadLikeRealOnesAndLeaveNoBytes) {
  auto reader = Make({.error_rate = 1});
  for (const ReadCompletion& completion : ReadBlocks(*reader, 3)) {
    ASSERT_FALSE(completion.status.has_value());
    const std::string text = completion.status.error().ToString();
    EXPECT_THAT(text, HasSubstr("Input/output error"));
    EXPECT_THAT(text,
                HasSubstr(test_.path() + ", byte " + std::to_string(completion.tag * kBlockBytes)));
    EXPECT_NE(std::memcmp(memory_.data(), test_.content().data(), kBlockBytes), 0);
  }
  reader->set_options({.early_end_rate = 1});
  for (const ReadCompletion& completion : ReadBlocks(*reader, 3)) {
    ASSERT_FALSE(completion.status.has_value());
    EXPECT_THAT(completion.status.error().ToString(), HasSubstr("ends early"));
  }
  reader->set_options({});
  for (const ReadCompletion& completion : ReadBlocks(*reader, 3)) {
    EXPECT_TRUE(completion.status.has_value());
  }
  EXPECT_EQ(std::memcmp(memory_.data(), test_.content().data(), 3 * kBlockBytes), 0);
}

TEST_F(SimReaderTest, HoldingBackShufflesTheOrder) {
  auto reader = Make({.hold_rate = 0.8});
  std::vector<uint64_t> tags;
  for (const ReadCompletion& completion : ReadBlocks(*reader, 100)) tags.push_back(completion.tag);
  EXPECT_FALSE(std::ranges::is_sorted(tags));
  std::ranges::sort(tags);
  for (uint64_t i = 0; i < 100; ++i) ASSERT_EQ(tags[i], i);
}

TEST_F(SimReaderTest, HoldingEverythingStillEnds) {
  auto reader = Make({.hold_rate = 1});
  EXPECT_EQ(ReadBlocks(*reader, 10).size(), 10u);
}

TEST_F(SimReaderTest, BandwidthAndLatencyTakeTheirTime) {
  auto reader = Make({.bytes_per_s = 50 * kBlockBytes / 0.05, .latency_s = 0.02});
  const double start = NowSeconds();
  EXPECT_EQ(ReadBlocks(*reader, 50).size(), 50u);
  const double took = NowSeconds() - start;
  EXPECT_GE(took, 0.07);
  EXPECT_LT(took, 1.0);

  reader->Submit({test_.file(), 0, kBlockBytes, memory_.data(), 0});
  std::vector<ReadCompletion> done;
  reader->Reap(/*wait=*/false, done);
  EXPECT_TRUE(done.empty()) << "not before its time";
  EXPECT_EQ(reader->in_flight(), 1u);
}

TEST_F(SimReaderTest, ADiskThatHangsIsWaitedForOnlyForAWhile) {
  auto reader = Make({.latency_s = 3 * kReapSeconds});
  std::vector<ReadCompletion> done;
  const double start = NowSeconds();
  reader->Submit({test_.file(), 0, kBlockBytes, memory_.data(), 0});
  reader->Reap(/*wait=*/true, done);
  EXPECT_TRUE(done.empty());
  EXPECT_GE(NowSeconds() - start, 0.9 * kReapSeconds);
  EXPECT_EQ(reader->in_flight(), 1u);
  while (done.empty()) reader->Reap(/*wait=*/true, done);
  EXPECT_GE(NowSeconds() - start, 3 * kReapSeconds);
}

TEST_F(SimReaderTest, SpikesDelayWhatTheyHit) {
  auto reader = Make({.spike_rate = 0.1, .spike_s = 0.05});
  const double start = NowSeconds();
  EXPECT_EQ(ReadBlocks(*reader, 100).size(), 100u);
  EXPECT_GE(NowSeconds() - start, 0.05);
}

}  // namespace
}  // namespace flashmoe
