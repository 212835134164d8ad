#include "measure/outlook.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "base/memory.h"
#include "base/test_path.h"
#include "model/geometry.h"
#include "synth/random_model.h"
#include "synth/weightless_model.h"

namespace flashmoe {
namespace {

MachineOptions Given() {
  MachineOptions machine;
  machine.disk_bytes_per_s = 0.2e9;  // slower than any arithmetic
  machine.memory_bytes_per_s = 30e9;
  return machine;
}

EngineOptions WithMemory(uint64_t bytes) {
  EngineOptions options;
  options.memory_bytes = bytes;
  options.threads = 1;
  return options;
}

// As an engine has it when it makes its plan: with the text model beside it.
Result<Outlook> OutlookOf(std::unique_ptr<ModelFile> file, uint64_t memory) {
  FM_ASSIGN_OR_RETURN(const TextModel words, LoadTextModel(*file));
  return MakeOutlook(*file, WithMemory(memory), nullptr, Given());
}

TEST(OutlookTest, AGeometryPromisesWhatItsWrittenModelDoes) {
  ModelConfig config = WithLayers(*GeometryByName("qwen3.5-35b-a3b"), 4);
  config.experts = 32;
  config.vocab_rows = 4096;
  RandomModelOptions options;
  options.types = {DType::kQ8_0, DType::kQ4_0};
  const std::string path = TestPath("outlook.gguf");
  ASSERT_TRUE(WriteRandomModel(config, options, path).has_value());
  auto written = ModelFile::Open(path);
  auto weightless = OpenWithoutWeights(config, options.types);
  ASSERT_TRUE(written.has_value() && weightless.has_value());

  const uint64_t memory = ResidentBytes() + 310'000'000;
  const auto real = OutlookOf(std::move(*written), memory);
  const auto promised = OutlookOf(std::move(*weightless), memory);
  std::remove(path.c_str());
  ASSERT_TRUE(real.has_value()) << real.error().ToString();
  ASSERT_TRUE(promised.has_value()) << promised.error().ToString();
  EXPECT_EQ(promised->facts.file_bytes, real->facts.file_bytes);
  EXPECT_EQ(promised->facts.dense_bytes, real->facts.dense_bytes);
  EXPECT_EQ(promised->facts.expert_bytes_token, real->facts.expert_bytes_token);
  EXPECT_EQ(promised->memory.context, real->memory.context);
  EXPECT_EQ(promised->memory.chunk_tokens, real->memory.chunk_tokens);
  EXPECT_LT(real->memory.slots, real->memory.slots_all);
  EXPECT_LT(promised->memory.slots, promised->memory.slots_all);
  // What the process holds by itself, between the two, differs by what allocators keep.
  const auto slots_and_process = [](const MemoryPlan& plan) {
    return static_cast<double>(plan.slots) +
           static_cast<double>(plan.process) /
               (static_cast<double>(plan.experts) / static_cast<double>(plan.slots));
  };
  const double slack = std::max(1.0, 0.01 * static_cast<double>(real->memory.slots));
  EXPECT_NEAR(slots_and_process(promised->memory), slots_and_process(real->memory), slack);
}

TEST(OutlookTest, TheEnginesOwnPlanIsTheSame) {
  const std::string ember = FLASHMOE_SOURCE_DIR "/models/ember/ember-q4_k_m.gguf";
  auto file = ModelFile::Open(ember);
  ASSERT_TRUE(file.has_value());
  auto words = LoadTextModel(**file);
  ASSERT_TRUE(words.has_value());
  // So much that neither the context nor the chunks depend on what the process holds just now.
  const EngineOptions options = WithMemory(ResidentBytes() + 1'000'000'000);
  const auto outlook = MakePlans(**file, options);
  ASSERT_TRUE(outlook.has_value()) << outlook.error().ToString();

  file = ModelFile::Open(ember);
  ASSERT_TRUE(file.has_value());
  const auto engine = Engine::Load(std::move(*file), std::move(*words), options);
  ASSERT_TRUE(engine.has_value()) << engine.error().ToString();
  const MemoryPlan& plan = (*engine)->plan().memory;
  EXPECT_EQ(outlook->memory.dense, plan.dense);
  EXPECT_EQ(outlook->memory.state, plan.state);
  EXPECT_EQ(outlook->memory.scratch, plan.scratch);
  EXPECT_EQ(outlook->memory.slots, plan.slots);
}

TEST(OutlookTest, SaysWhatWouldHelp) {
  auto config = GeometryByName("qwen3.5-397b-a17b");
  ASSERT_TRUE(config.has_value());
  auto file = OpenWithoutWeights(*config, {DType::kQ8_0, DType::kQ4_K});
  ASSERT_TRUE(file.has_value());
  const auto outlook = OutlookOf(std::move(*file), 24'000'000'000);
  ASSERT_TRUE(outlook.has_value()) << outlook.error().ToString();
  EXPECT_EQ(outlook->facts.experts_per_token, 10);
  EXPECT_LE(outlook->memory.total(), 24'000'000'000u);
  EXPECT_GT(outlook->decode.wait_s, outlook->decode.compute_s) << "the disk holds it back";
  ASSERT_GE(outlook->remedies.size(), 3u);
  double before = outlook->remedies.front().tokens_per_s;
  for (const Remedy& remedy : outlook->remedies) {
    EXPECT_LE(remedy.tokens_per_s, before) << "the best first";
    EXPECT_GT(remedy.tokens_per_s, 1.05 * outlook->decode.tokens_per_s()) << remedy.what;
    before = remedy.tokens_per_s;
  }
  ASSERT_EQ(outlook->prefill.size(), 2u);
  EXPECT_GT(outlook->prefill[1].tokens_per_s(), outlook->prefill[0].tokens_per_s());
}

TEST(OutlookTest, WhatDoesNotFitIsRefusedWithTheLeastThatWould) {
  auto config = GeometryByName("qwen3.5-397b-a17b");
  auto file = OpenWithoutWeights(*config, {DType::kQ8_0, DType::kQ4_K});
  ASSERT_TRUE(file.has_value());
  const auto outlook = OutlookOf(std::move(*file), 2'000'000'000);
  ASSERT_FALSE(outlook.has_value());
  EXPECT_EQ(outlook.error().code, ErrorCode::kOutOfMemory);
  EXPECT_NE(outlook.error().hint.find("--memory"), std::string::npos);
}

}  // namespace
}  // namespace flashmoe
