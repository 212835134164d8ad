// The same numbers in another container, layout or naming scheme give the same logits.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "format/test_support.h"
#include "kernels/kernels.h"
#include "tests/support/hub_model.h"
#include "tests/support/quantise.h"
#include "tests/support/test_model.h"
#include "tests/support/to_gguf.h"
#include "tests/support/to_mlx.h"

namespace flashmoe {
namespace {

// Value heads of a qwen35moe GGUF are reordered, and with them the columns of the matrix that
// follows: its sums are formed in another order, which changes them by rounding.
constexpr double kReordered = 1e-12;

class FormatsTest : public testing::Test {
 protected:
  LogitRows Logits(const std::string& path, const std::string& isa = "scalar") const {
    return AllLogits(path, tokens_, TestOptions(isa));
  }
  LogitRows Logits(const HubModel& model) {
    const std::string folder = NewPath();
    model.Write(folder);
    return Logits(folder);
  }
  LogitRows Logits(const HubModel& model, const GgufOptions& options,
                   const std::string& isa = "scalar") {
    return Logits(WriteGguf(model, NewPath(), options), isa);
  }
  std::string NewPath() { return files_.File(fmt::format("model{}", count_++)); }

  const HubModel qwen35_ = HubModel::Load(TinyModel("tiny-random"));
  const HubModel qwen3_ = HubModel::Load(TinyModel("tiny-random-qwen3moe"));
  // Long enough for a whole block of the delta net and some tokens more.
  const std::vector<int32_t> tokens_ = SomeTokens(75, 512);

 private:
  TestFolder files_;
  int count_ = 0;
};

#define EXPECT_SAME_LOGITS(got, want) EXPECT_EQ(FirstDifference((got), (want)), "")

TEST_F(FormatsTest, Qwen3GgufEqualsHuggingFace) {
  const LogitRows want = Logits(TinyModel("tiny-random-qwen3moe"));
  ASSERT_EQ(want.size(), tokens_.size());
  EXPECT_SAME_LOGITS(Logits(qwen3_, {.type = DType::kF32}), want);
  EXPECT_SAME_LOGITS(Logits(qwen3_, {.type = DType::kBF16}), want);
  EXPECT_SAME_LOGITS(Logits(qwen3_, {.type = DType::kBF16, .fuse_gate_up = true}), want);
  EXPECT_SAME_LOGITS(Logits(qwen3_, {.type = DType::kBF16, .parts = 3}), want);
}

TEST_F(FormatsTest, Qwen35GgufAgreesWithHuggingFace) {
  const LogitRows want = Logits(TinyModel("tiny-random"));
  ASSERT_EQ(want.size(), tokens_.size());
  const LogitRows gguf = Logits(qwen35_, {.type = DType::kF32});
  EXPECT_LE(Nmse(gguf, want), kReordered);
  RecordProperty("nmse", fmt::format("{:.3g}", Nmse(gguf, want)));
  EXPECT_SAME_LOGITS(Logits(qwen35_, {.type = DType::kBF16}), gguf);
  EXPECT_SAME_LOGITS(Logits(qwen35_, {.type = DType::kBF16, .fuse_gate_up = true}), gguf);
  EXPECT_SAME_LOGITS(Logits(qwen35_, {.type = DType::kBF16, .parts = 2}), gguf);
}

TEST_F(FormatsTest, Qwen3NextEqualsQwen35) {
  using Next = GgufOptions::Next;
  const LogitRows want = Logits(TinyModel("tiny-random"));
  ASSERT_EQ(want.size(), tokens_.size());
  EXPECT_SAME_LOGITS(Logits(AsQwen3Next(qwen35_)), want);
  EXPECT_SAME_LOGITS(Logits(qwen35_, {.type = DType::kBF16, .next = Next::kFlat}), want);
  EXPECT_SAME_LOGITS(Logits(qwen35_, {.type = DType::kBF16, .next = Next::kGrouped}), want);
}

TEST_F(FormatsTest, LayoutsOfExpertsAreEqual) {
  EXPECT_SAME_LOGITS(Logits(SplitExperts(qwen35_)), Logits(TinyModel("tiny-random")));
  EXPECT_SAME_LOGITS(Logits(FuseExperts(qwen3_)), Logits(TinyModel("tiny-random-qwen3moe")));
}

TEST_F(FormatsTest, NestedConfigAndShardsAreEqual) {
  const LogitRows want = Logits(TinyModel("tiny-random"));
  EXPECT_SAME_LOGITS(Logits(Nest(qwen35_)), want);
  EXPECT_SAME_LOGITS(Logits(WithFloats(qwen35_)), want);
  const std::string folder = NewPath();
  SplitExperts(qwen35_).Write(folder, /*shards=*/5);
  EXPECT_SAME_LOGITS(Logits(folder), want);
}

TEST_F(FormatsTest, PredictionBlocksAreLeftOut) {
  const LogitRows want = Logits(TinyModel("tiny-random"));
  EXPECT_SAME_LOGITS(Logits(AddPredictionBlock(qwen35_)), want);
  EXPECT_SAME_LOGITS(Logits(qwen35_, {.prediction_block = true}), Logits(qwen35_, GgufOptions{}));
}

TEST_F(FormatsTest, MlxEqualsItsNumbers) {
  for (const int bits : {2, 4, 6, 8}) {
    for (const int group : {32, 64, 128}) {
      const MlxCopy copy =
          MakeMlx(qwen35_, {.bits = [=](const std::string&) { return bits; }, .group = group});
      EXPECT_SAME_LOGITS(Logits(copy.mlx), Logits(copy.floats))
          << bits << " bits, groups of " << group;
    }
  }
}

TEST_F(FormatsTest, MlxTypesMayDifferByTensor) {
  const auto bits = [](const std::string& name) {
    if (name.ends_with("mlp.gate") || name.ends_with("shared_expert_gate")) return 8;
    if (name.ends_with("down_proj") || name.ends_with("lm_head")) return 6;
    if (name.ends_with("up_proj")) return 2;
    return 4;
  };
  const MlxCopy copy = MakeMlx(qwen35_, {.bits = bits, .group = 64});
  EXPECT_SAME_LOGITS(Logits(copy.mlx), Logits(copy.floats));
}

// The matrices' numbers as a GGUF file of `type` rounds them.
HubModel Rounded(HubModel model, DType type) {
  for (auto& [name, tensor] : model.tensors) {
    if (tensor.shape.size() < 2 || name.ends_with("mlp.gate.weight")) continue;
    const std::vector<std::byte> bytes = Encode(type, tensor.Floats());
    const auto count = tensor.elements();
    const Matrix row{type, 1, count, bytes.data(), RowBytes(type, count)};
    std::vector<float> values(count);
    ScalarKernels().dequantize_row(row, 0, values.data());
    tensor = StoredTensor::FromFloats(tensor.shape, values);
  }
  return model;
}

TEST_F(FormatsTest, BlockTypesEqualTheirNumbers) {
  for (const DType type : {DType::kQ8_0, DType::kQ4_0}) {
    EXPECT_SAME_LOGITS(Logits(qwen3_, {.type = type}), Logits(Rounded(qwen3_, type)))
        << GetInfo(type).name;
  }
}

// Where weights are quantised, fast kernels round the activations to 8 bits. In a random model that
// changes some choices of the router; a trained one is looked at below.
TEST_F(FormatsTest, FastKernelsAgreeOnEveryFormat) {
  const auto check = [&](const std::string& what, const std::string& path, double kl_max) {
    const LogitRows want = Logits(path);
    for (const KernelTable* kernels : AvailableKernels()) {
      const Agreement agreement = Compare(Logits(path, std::string(kernels->name)), want, 0.5f);
      EXPECT_LE(agreement.mean_kl(), kl_max)
          << what << ", " << kernels->name << ": " << agreement.ToString();
      EXPECT_GE(agreement.top1(), 0.95)
          << what << ", " << kernels->name << ": " << agreement.ToString();
      RecordProperty(fmt::format("{}_{}", what, kernels->name), agreement.ToString());
    }
  };
  for (const DType type : {DType::kF32, DType::kF16, DType::kQ8_0, DType::kQ4_0}) {
    const bool rounds = type == DType::kQ8_0 || type == DType::kQ4_0;
    check(std::string(GetInfo(type).name), WriteGguf(qwen35_, NewPath(), {.type = type}),
          rounds ? 0.03 : 1e-5);
  }
  for (const int bits : {2, 4, 6, 8}) {
    const std::string folder = NewPath();
    MakeMlx(qwen35_, {.bits = [=](const std::string&) { return bits; }, .group = 32})
        .mlx.Write(folder);
    check(fmt::format("MLX{}", bits), folder, 0.03);
  }
}

TEST(TrainedModelTest, FastKernelsAgreeOnQuantisedWeights) {
  const auto reference = Open(BundledModel(), TestOptions());
  ASSERT_NE(reference, nullptr);
  const std::vector<int32_t> tokens = reference->text().Encode(
      "The grep command searches text for lines that match a pattern. By default it prints the "
      "lines that match. The options that select what is searched are described below.\n\n"
      "Once upon a time there was a careful fox named Owen. Owen had a silver cup that he loved "
      "very much. One day Owen decided to travel to the workshop, and on the way he met a friend "
      "who asked him: \"Where are you going with your cup?\"");
  const LogitRows want = AllLogits(*reference, tokens);
  for (const KernelTable* kernels : AvailableKernels()) {
    const std::string name(kernels->name);
    const Agreement agreement =
        Compare(AllLogits(BundledModel(), tokens, TestOptions(name)), want, 0.2f);
    EXPECT_LE(agreement.mean_kl(), 2e-2) << name << ": " << agreement.ToString();
    EXPECT_GE(agreement.top1(), 0.95) << name << ": " << agreement.ToString();
    RecordProperty(name, agreement.ToString());
  }
}

// Files of the converter that ours imitates.
TEST_F(FormatsTest, PublishedConverterGivesTheSameFile) {
  for (const char* name : {"tiny-random", "tiny-random-qwen3moe"}) {
    const auto folder = ReferenceModel(name);
    if (!folder) GTEST_SKIP() << kNoReferenceModels;
    EXPECT_SAME_LOGITS(Logits(fmt::format("{}/{}-f32.gguf", *folder, name)),
                       Logits(HubModel::Load(TinyModel(name)), GgufOptions{}));
  }
}

}  // namespace
}  // namespace flashmoe
