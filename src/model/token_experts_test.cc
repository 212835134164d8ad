#include "model/token_experts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <deque>

#include "kernels/testing.h"

namespace flashmoe {
namespace {

using ::testing::ElementsAreArray;
using testing::Random;
using testing::RandomActivations;
using testing::RandomMatrix;

constexpr int64_t kHidden = 160;  // neither a multiple of 128 rows nor of 256 columns

class TokenExpertsTest : public ::testing::TestWithParam<const KernelTable*> {
 protected:
  TokenExpertsTest() : pool_(3) {
    config_.hidden = kHidden;
    config_.experts = 8;
    config_.expert_width = 96;
    config_.shared_expert_width = 224;
    work_.emplace(config_, 1, 1, /*k=*/3, pool_.threads());
  }

  const Matrix& Make(DType type, int64_t rows, int64_t cols) {
    return matrices_.emplace_back(random_, type, rows, cols).view();
  }
  TokenExpert MakeExpert(DType type, DType down, int64_t width) {
    return {Make(type, width, kHidden), Make(type, width, kHidden), Make(down, kHidden, width),
            nullptr};
  }
  LayerContext Context() { return {config_, *GetParam(), pool_, *work_, clock_, 0, 1, 0}; }

  // Step by step on this thread.
  std::vector<float> OneByOne(const TokenExpert& expert, const Activations& x) {
    const KernelTable& kernels = *GetParam();
    const int64_t width = expert.gate.rows;
    std::vector<float> gate(width), up(width), out(kHidden);
    kernels.matmul(expert.gate, 0, width, x, gate.data(), width);
    kernels.matmul(expert.up, 0, width, x, up.data(), width);
    kernels.silu_mul(gate.data(), up.data(), width, gate.data());
    ActivationBuffer buffer(1, width, /*gathers=*/false);
    const std::array type = {expert.down.type};
    const Activations& inner = buffer.Set(kernels, pool_, gate.data(), 1, width, type);
    kernels.matmul(expert.down, 0, kHidden, inner, out.data(), kHidden);
    return out;
  }

  Random random_{7};
  std::deque<RandomMatrix> matrices_;
  ModelConfig config_;
  ThreadPool pool_;
  std::optional<Workspace> work_;
  StepClock clock_{1};
};

TEST_P(TokenExpertsTest, GiveTheSameBitsAsEachAlone) {
  const RandomActivations x(random_, *GetParam(), 1, kHidden);
  std::vector<TokenExpert> experts = {
      MakeExpert(DType::kQ4_0, DType::kQ8_0, 96), MakeExpert(DType::kQ8_0, DType::kF16, 224),
      MakeExpert(DType::kF32, DType::kQ4_0, 32), MakeExpert(DType::kBF16, DType::kF32, 90)};
  std::vector<std::vector<float>> out(experts.size(), std::vector<float>(kHidden, -1.0f));
  for (size_t i = 0; i < experts.size(); ++i) experts[i].out = out[i].data();
  RunTokenExperts(Context(), x.view(), experts);
  for (size_t i = 0; i < experts.size(); ++i) {
    EXPECT_THAT(out[i], ElementsAreArray(OneByOne(experts[i], x.view()))) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Tables, TokenExpertsTest, ::testing::ValuesIn(AvailableKernels()),
                         [](const auto& table) { return std::string(table.param->name); });

}  // namespace
}  // namespace flashmoe
