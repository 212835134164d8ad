#include "model/adaptive_router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <random>

#include "tensor/half.h"

namespace flashmoe {
namespace {

constexpr int kHidden = 32;
constexpr int kExperts = 16;
constexpr int kChosen = 2;

class AdaptiveRouterTest : public testing::Test {
 protected:
  AdaptiveRouterTest() : norm_(kHidden, 1.0f), router_(kExperts * kHidden), pool_(2) {
    config_.layers = 2;
    config_.hidden = kHidden;
    config_.experts = kExperts;
    config_.experts_per_token = kChosen;
    for (float& w : router_) w = Bf16ToF32(F32ToBf16(normal_(random_)));  // as the copies have it
    LayerWeights layer;
    layer.moe_norm = norm_.data();
    layer.router = {DType::kF32, kExperts, kHidden, reinterpret_cast<std::byte*>(router_.data()),
                    kHidden * sizeof(float)};
    layers_ = {layer, layer};
  }

  void SetUp() override {
    auto routers = AdaptiveRouters::Create(config_, layers_, ScalarKernels());
    ASSERT_TRUE(routers.has_value());
    routers_ = std::move(*routers);
  }

  std::vector<float> RandomInput() {
    std::vector<float> x(kHidden);
    for (float& value : x) value = normal_(random_);
    return x;
  }
  // What the router gives for an RMS-normed input, as the layer would compute it.
  std::vector<float> Logits(std::vector<float> x) const {
    ScalarKernels().rms_norm(x.data(), norm_.data(), config_.rms_eps, kHidden, x.data());
    std::vector<float> logits(kExperts);
    for (int e = 0; e < kExperts; ++e) {
      logits[e] = ScalarKernels().dot(router_.data() + e * kHidden, x.data(), kHidden);
    }
    return logits;
  }
  static std::vector<int32_t> Best(const std::vector<float>& logits, int count) {
    std::vector<int32_t> order(logits.size());
    for (size_t e = 0; e < order.size(); ++e) order[e] = static_cast<int32_t>(e);
    std::ranges::stable_sort(order, [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
    order.resize(count);
    return order;
  }
  std::vector<int32_t> Predict(int layer, const std::vector<float>& x, int count = kChosen) {
    std::vector<int32_t> best(count);
    routers_->Predict(pool_, layer, x, best);
    return best;
  }

  std::mt19937 random_{7};
  std::normal_distribution<float> normal_;
  ModelConfig config_;
  std::vector<float> norm_, router_;
  std::vector<LayerWeights> layers_;
  ThreadPool pool_;
  std::optional<AdaptiveRouters> routers_;
};

TEST_F(AdaptiveRouterTest, BeginsAsTheRouterItself) {
  for (int i = 0; i < 20; ++i) {
    const std::vector<float> x = RandomInput();
    EXPECT_EQ(Predict(i % 2, x, 5), Best(Logits(x), 5));
  }
  EXPECT_EQ(Predict(0, std::vector<float>(kHidden), 3), (std::vector<int32_t>{0, 1, 2})) << "ties";
}

// What the layers in between add is a fixed linear map here: all of it can be learned.
TEST_F(AdaptiveRouterTest, LearnsWhatIsRegular) {
  std::vector<float> map(kHidden * kHidden);
  for (float& value : map) value = normal_(random_) * 0.15f;
  int right_early = 0, right_late = 0;
  for (int step = 0; step < 4000; ++step) {
    const std::vector<float> x = RandomInput();
    std::vector<float> later = x;
    for (int i = 0; i < kHidden; ++i) {
      later[i] += ScalarKernels().dot(map.data() + i * kHidden, x.data(), kHidden);
    }
    const std::vector<float> logits = Logits(later);
    const std::vector<int32_t> chosen = Best(logits, kChosen);
    const std::vector<int32_t> guess = Predict(1, x, 2 * kChosen);
    for (int rank = 0; rank < kChosen; ++rank) {
      const bool right = std::ranges::find(chosen, guess[rank]) != chosen.end();
      if (step < 300) right_early += right ? 1 : 0;
      if (step >= 3700) right_late += right ? 1 : 0;
    }
    routers_->Learn(1, logits, chosen);
  }
  EXPECT_LT(right_early, 420);
  EXPECT_GT(right_late, 480) << "of 600; early " << right_early;
}

TEST_F(AdaptiveRouterTest, AConstantIsNoError) {
  const std::vector<float> x = RandomInput();
  std::vector<float> logits = Logits(x);
  for (float& value : logits) value -= 3.0f;
  const std::vector<int32_t> before = Predict(0, x, kExperts);
  routers_->Learn(0, logits, Best(logits, kChosen));
  EXPECT_EQ(Predict(0, x, kExperts), before);
}

TEST_F(AdaptiveRouterTest, LearnsNothingFromNothing) {
  const std::vector<float> x = RandomInput();
  std::vector<float> logits(kExperts, 1.0f);
  const std::vector<int32_t> chosen = {3, 4};
  routers_->Learn(0, logits, chosen);  // no prediction
  EXPECT_EQ(Predict(0, x, kExperts), Best(Logits(x), kExperts));
  logits[5] = std::numeric_limits<float>::quiet_NaN();
  routers_->Learn(0, logits, chosen);
  EXPECT_EQ(Predict(0, x, kExperts), Best(Logits(x), kExperts));
  routers_->Learn(1, Logits(RandomInput()), chosen);  // another layer's
  EXPECT_EQ(Predict(0, x, kExperts), Best(Logits(x), kExperts));
}

TEST_F(AdaptiveRouterTest, SurvivesNaN) {
  const std::vector<float> x(kHidden, std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(Predict(0, x, 3), (std::vector<int32_t>{0, 1, 2}));
  routers_->Learn(0, Logits(RandomInput()), std::vector<int32_t>{1, 2});
  const std::vector<float> y = RandomInput();
  EXPECT_EQ(Predict(0, y, 4), Best(Logits(y), 4));
}

TEST_F(AdaptiveRouterTest, CountsItsMemory) {
  EXPECT_EQ(AdaptiveRouters::Bytes(config_),
            2u * (2 * kExperts * kHidden + 4 * (kHidden + kExperts + 2 * kChosen)));
}

}  // namespace
}  // namespace flashmoe
