#include "model/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace flashmoe {
namespace {

using testing::ElementsAre;
using testing::FloatNear;

constexpr int kHidden = 8;
constexpr int kExperts = 6;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Routes tokens whose router logits are given: the matrix picks the token's first elements.
class RouterTest : public testing::Test {
 protected:
  RouterTest() : pool_(2) {
    config_.hidden = kHidden;
    config_.experts = kExperts;
    config_.expert_width = 8;
    for (int e = 0; e < kExperts; ++e) router_[e * kHidden + e] = 1.0f;
    weights_.router = {DType::kF32, kExperts, kHidden, reinterpret_cast<std::byte*>(router_),
                       kHidden * sizeof(float)};
  }

  const Routing& RouteLogits(const std::vector<std::vector<float>>& logits, int k) {
    const auto n = static_cast<int64_t>(logits.size());
    work_.emplace(config_, n, 1, k, 2);
    for (int64_t t = 0; t < n; ++t) {
      std::copy(logits[t].begin(), logits[t].end(), work_->normed.begin() + t * kHidden);
    }
    Route({config_, ScalarKernels(), pool_, *work_, clock_, 0, n, 0}, weights_);
    return work_->routing;
  }

  ModelConfig config_;
  LayerWeights weights_;
  alignas(64) float router_[kExperts * kHidden] = {};
  ThreadPool pool_;
  std::optional<Workspace> work_;
  StepClock clock_{1};
};

TEST_F(RouterTest, BestFirstWithWeightsThatAddUpToOne) {
  const Routing& r = RouteLogits({{0, 3, 1, 2, -1, 0}, {5, 0, 0, 0, 0, 4}}, 3);
  EXPECT_THAT(r.chosen, ElementsAre(1, 3, 2, 0, 5, 1));
  const float sum = std::exp(3.0f) + std::exp(2.0f) + std::exp(1.0f);
  EXPECT_THAT(
      std::vector(r.weights.begin(), r.weights.begin() + 3),
      ElementsAre(FloatNear(std::exp(3.0f) / sum, 1e-6f), FloatNear(std::exp(2.0f) / sum, 1e-6f),
                  FloatNear(std::exp(1.0f) / sum, 1e-6f)));
  EXPECT_NEAR(r.weights[3] + r.weights[4] + r.weights[5], 1.0f, 1e-6f);
}

TEST_F(RouterTest, TiesGoToTheLowerIndex) {
  const Routing& r = RouteLogits({{1, 2, 2, 1, 2, 1}, {0, 0, 0, 0, 0, 0}}, 4);
  EXPECT_THAT(r.chosen, ElementsAre(1, 2, 4, 0, 0, 1, 2, 3));
  EXPECT_EQ(r.weights[4], 0.25f);
}

TEST_F(RouterTest, AllExpertsMayBeChosen) {
  const Routing& r = RouteLogits({{6, 1, 5, 2, 4, 3}}, kExperts);
  EXPECT_THAT(r.chosen, ElementsAre(0, 2, 4, 5, 3, 1));
}

TEST_F(RouterTest, DamagedLogitsStillGiveDistinctExperts) {
  const Routing& r = RouteLogits({std::vector<float>(kExperts, kNan)}, 3);
  EXPECT_THAT(r.chosen, ElementsAre(0, 1, 2));
}

TEST_F(RouterTest, KeepsTheLogitsOfOneToken) {
  const Routing& r = RouteLogits({{6, 1, 5, 2, 4, 3}}, 2);
  EXPECT_THAT(r.raw_logits, ElementsAre(6, 1, 5, 2, 4, 3));
}

TEST(BestExpertsTest, LargestFirstTheLowerIndexOnATie) {
  const std::vector<float> logits = {1, 3, 3, 2, -1, kNan};
  std::vector<int32_t> best(4);
  BestExperts(logits, best);
  EXPECT_THAT(best, ElementsAre(1, 2, 3, 0));
}

}  // namespace
}  // namespace flashmoe
