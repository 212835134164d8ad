#include "engine/running_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flashmoe {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<int64_t> Positions(int64_t prompt, std::vector<int64_t> named, int64_t reused = 0) {
  GenerateRequest request;
  request.prompt.resize(static_cast<size_t>(prompt));
  request.checkpoints = std::move(named);
  return CheckpointPositions(request, reused, 4096);
}

TEST(CheckpointPositionsTest, AreMultiplesOf64InOrder) {
  EXPECT_THAT(Positions(1000, {700, 200}), ElementsAre(192, 640, 960));
  EXPECT_THAT(Positions(10'000, {}), ElementsAre(4096, 8192, 9984));
  EXPECT_THAT(Positions(1000, {700, 200}, /*reused=*/640), ElementsAre(960));
}

TEST(CheckpointPositionsTest, LeaveOutWhatHasNoUse) {
  EXPECT_THAT(Positions(60, {60, 63}), IsEmpty());
  EXPECT_THAT(Positions(10, {}), IsEmpty());
  EXPECT_THAT(Positions(128, {128, 129, 1'000'000, -5, 64, 65}), ElementsAre(64))
      << "one token is left to read";
  EXPECT_THAT(Positions(1000, {960, 961, 962}), ElementsAre(960)) << "once";
}

}  // namespace
}  // namespace flashmoe
