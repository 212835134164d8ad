// Budgets that are too small, and disks that fail while the model runs.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/clock.h"
#include "engine/generate.h"
#include "format/test_support.h"
#include "io/sim_reader.h"
#include "kernels/kernels.h"
#include "tests/support/hub_model.h"
#include "tests/support/least_memory.h"
#include "tests/support/sanitized.h"
#include "tests/support/test_model.h"

namespace flashmoe {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(BudgetTest, NamedSmallestBudgetWorks) {
  if (kSanitized) GTEST_SKIP() << "the sanitizers' memory moves";
  for (const std::string& path : {TinyModel("tiny-random"), BundledModel()}) {
    for (const int64_t context : {int64_t{0}, int64_t{1024}}) {
      EngineOptions options = TestOptions("auto");
      options.context = context;
      const auto engine = OpenWithLeast(path, options);
      ASSERT_NE(engine, nullptr);
      const MemoryPlan& plan = engine->plan().memory;
      EXPECT_LE(plan.total(), plan.budget);
      EXPECT_LT(plan.slots, plan.slots_all);
      EXPECT_EQ(AllLogits(*engine, SomeTokens(5, 500)).size(), 5u);

      options.memory_bytes = plan.budget * 9 / 10;
      const auto refused = TryOpen(path, options);
      ASSERT_FALSE(refused.has_value()) << (*refused)->plan().ToString();
      EXPECT_EQ(refused.error().code, ErrorCode::kOutOfMemory);
      EXPECT_GE(NamedBudget(refused.error()), plan.total()) << refused.error().ToString();
    }
  }
}

TEST(BudgetTest, SmallestBudgetStreams) {
  EngineOptions options = TestOptions();
  const std::string path = TinyModel("tiny-random");
  const auto engine = OpenWithLeast(path, options);
  ASSERT_NE(engine, nullptr);
  const std::vector<int32_t> tokens = SomeTokens(30, 500);
  ASSERT_EQ(AllLogits(*engine, tokens).size(), tokens.size());
  const StoreStats& stats = engine->model().store().stats();
  EXPECT_GT(stats.bytes_read, 0u);
  EXPECT_LT(stats.hits, stats.requests);
}

TEST(ContextTest, PromptThatDoesNotFitIsRefused) {
  EngineOptions options = TestOptions();
  options.context = 64;
  const auto engine = Open(TinyModel("tiny-random"), options);
  ASSERT_NE(engine, nullptr);
  auto session = engine->NewSession();
  ASSERT_TRUE(session.has_value());
  const Status refused = session->Sync(SomeTokens(65, 500));
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().ToString(), AllOf(HasSubstr("65"), HasSubstr("64")));
  ASSERT_TRUE(session->Sync(SomeTokens(64, 500)).has_value());
  const Status full = session->Append(1);
  ASSERT_FALSE(full.has_value());
  EXPECT_THAT(full.error().ToString(), HasSubstr("64"));
  EXPECT_EQ(session->tokens().size(), 64u);

  for (const int32_t id : {-1, 512, 1 << 30}) {
    const Status unknown = session->Sync(std::vector{id});
    ASSERT_FALSE(unknown.has_value());
    EXPECT_THAT(unknown.error().ToString(), HasSubstr(fmt::format("{}", id)));
  }
}

TEST(ContextTest, AnswerEndsWithTheContext) {
  EngineOptions options = TestOptions();
  options.context = 40;
  const auto engine = Open(TinyModel("tiny-random"), options);
  ASSERT_NE(engine, nullptr);
  auto session = engine->NewSession();
  ASSERT_TRUE(session.has_value());
  GenerateRequest request;
  request.prompt = SomeTokens(30, 500);
  request.ignore_stop_tokens = true;
  const auto result = Generate(*engine, *session, request, {});
  ASSERT_TRUE(result.has_value()) << result.error().ToString();
  EXPECT_EQ(result->finish, FinishReason::kLength);
  EXPECT_EQ(result->tokens.size(), 11u);  // the last one need not be held
}

bool AllFinite(const LogitRows& rows) {
  for (const auto& row : rows) {
    for (const float x : row) {
      if (!std::isfinite(x)) return false;
    }
  }
  return true;
}

class CutFileTest : public testing::TestWithParam<ReaderKind> {
 protected:
  static std::string ReadFile(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // The same inode gets its bytes back, and the time at which they were written.
  static void Restore(const std::string& path, const std::string& content,
                      std::filesystem::file_time_type written) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    file.close();
    ASSERT_TRUE(file.good());
    std::filesystem::last_write_time(path, written);
  }
  TestFolder files_;
};

TEST_P(CutFileTest, EndsTheRequestAndNothingElse) {
  const std::string folder = files_.File("model");
  HubModel::Load(TinyModel("tiny-random")).Write(folder);
  const std::string weights = folder + "/model.safetensors";
  const std::string content = ReadFile(weights);
  const auto written = std::filesystem::last_write_time(weights);

  EngineOptions options = TestOptions();
  options.io = GetParam();
  const auto engine = OpenAtFloor(folder, options);
  ASSERT_NE(engine, nullptr);
  const std::vector<int32_t> tokens = SomeTokens(40, 500);
  const LogitRows want = AllLogits(*engine, tokens);
  ASSERT_EQ(want.size(), tokens.size());

  // Embedding and dense weights lie before, so that an expert is what is missed.
  std::filesystem::resize_file(weights, content.size() / 3);
  auto session = engine->NewSession();
  ASSERT_TRUE(session.has_value());
  LogitRows rows;
  const auto keep = [&](int64_t, std::span<const float> row) {
    rows.emplace_back(row.begin(), row.end());
  };
  const Status failed = session->Evaluate(tokens, keep);
  ASSERT_FALSE(failed.has_value());
  const std::string text = failed.error().ToString();
  // A row of the embedding, which is still there but may be another file's, is wanted first.
  EXPECT_THAT(text, testing::AnyOf(testing::ContainsRegex("expert [0-9]+ of layer [0-9]+"),
                                   HasSubstr("changed while in use")));
  EXPECT_THAT(text, HasSubstr(weights));
  EXPECT_THAT(text, testing::ContainsRegex("byte [0-9]+"));
  EXPECT_EQ(failed.error().code, ErrorCode::kIo) << text;
  EXPECT_TRUE(AllFinite(rows));
  EXPECT_TRUE(session->tokens().empty());
  // Again, as long as the file is short.
  ASSERT_FALSE(session->Evaluate(tokens, keep).has_value());

  Restore(weights, content, written);
  rows.clear();
  const Status healed = session->Evaluate(tokens, keep);
  ASSERT_TRUE(healed.has_value()) << healed.error().ToString();
  EXPECT_EQ(FirstDifference(rows, want), "");
}

// Another model of the same size, written into the file that is in use: never its bytes.
TEST_P(CutFileTest, AnotherModelInItsPlaceIsAnErrorAndNotAText) {
  const std::string folder = files_.File("model");
  HubModel::Load(TinyModel("tiny-random")).Write(folder);
  const std::string weights = folder + "/model.safetensors";
  std::string content = ReadFile(weights);

  EngineOptions options = TestOptions();
  options.io = GetParam();
  const auto engine = OpenWithLeast(folder, options);
  ASSERT_NE(engine, nullptr);
  for (size_t i = content.size() / 4; i < content.size(); i += 64) content[i] ^= 1;
  std::fstream(weights, std::ios::binary | std::ios::in | std::ios::out) << content;
  auto session = engine->NewSession();
  ASSERT_TRUE(session.has_value());
  const Status failed = session->Sync(SomeTokens(40, 500));
  ASSERT_FALSE(failed.has_value());
  EXPECT_THAT(failed.error().ToString(),
              AllOf(HasSubstr("changed while in use"), HasSubstr(weights)));
}

TEST_P(CutFileTest, AnotherModelUnderItsNameChangesNothing) {
  const std::string folder = files_.File("model");
  HubModel::Load(TinyModel("tiny-random")).Write(folder);
  const std::string weights = folder + "/model.safetensors";

  EngineOptions options = TestOptions();
  options.io = GetParam();
  const auto engine = OpenWithLeast(folder, options);
  ASSERT_NE(engine, nullptr);
  const std::vector<int32_t> tokens = SomeTokens(40, 500);
  std::ofstream(folder + "/new", std::ios::binary) << "something else";
  std::filesystem::rename(folder + "/new", weights);
  EXPECT_EQ(
      FirstDifference(AllLogits(*engine, tokens), AllLogits(TinyModel("tiny-random"), tokens)), "");
}

std::string ReaderName(const testing::TestParamInfo<ReaderKind>& reader) {
  return reader.param == ReaderKind::kUring   ? "uring"
         : reader.param == ReaderKind::kPread ? "pread"
                                              : "mmap";
}

INSTANTIATE_TEST_SUITE_P(Readers, CutFileTest,
                         testing::Values(ReaderKind::kUring, ReaderKind::kPread, ReaderKind::kMmap),
                         ReaderName);

// A model whose experts come through a reader that fails now and then.
TEST(FailingDiskTest, ErrorsEndPassesAndLeaveNoTrace) {
  const auto file = ModelFile::Open(TinyModel("tiny-random"));
  ASSERT_TRUE(file.has_value());
  auto config = ReadConfig(**file);
  ASSERT_TRUE(config.has_value());
  auto map = MapWeights(**file, *config);
  ASSERT_TRUE(map.has_value());
  auto weights = Weights::Load(*map, {}, {}, nullptr);
  ASSERT_TRUE(weights.has_value());
  auto pread = MakeReader({.kind = ReaderKind::kPread});
  ASSERT_TRUE(pread.has_value());
  auto sim = std::make_unique<SimReader>(std::move(*pread), SimOptions{.seed = 5,
                                                                       .error_rate = 0.002,
                                                                       .early_end_rate = 0.001,
                                                                       .split_rate = 0.2,
                                                                       .hold_rate = 0.3,
                                                                       .spike_rate = 0.0005,
                                                                       .spike_s = 0.02});
  const int k = config->experts_per_token;
  StoreOptions store_options;
  store_options.slots = ExpertStore::MinSlots(map->experts, k);
  store_options.experts_per_token = k;
  auto store = ExpertStore::Create(std::move(map->experts), store_options, std::move(sim));
  ASSERT_TRUE(store.has_value());
  ModelOptions options;
  options.kernels = &ScalarKernels();
  options.context = 256;
  options.experts_per_token = k;
  options.kv_type = KvType::kF32;
  auto state = SequenceState::Create(Model::Shape(*config, options.context, options.kv_type));
  ASSERT_TRUE(state.has_value());
  Model model(*config, std::move(*weights), std::move(*store), options);
  Session session(model, std::move(*state));

  const std::vector<int32_t> tokens = SomeTokens(20, 500);
  const LogitRows want = AllLogits(TinyModel("tiny-random"), tokens);
  int failures = 0, successes = 0;
  for (int run = 0; run < 40; ++run) {
    const Status status = session.Sync(tokens);
    if (!status.has_value()) {
      ++failures;
      EXPECT_THAT(status.error().ToString(),
                  testing::ContainsRegex("expert [0-9]+ of layer [0-9]+"));
      continue;
    }
    ++successes;
    const LogitRows got = {{session.logits().begin(), session.logits().end()}};
    EXPECT_EQ(FirstDifference(got, {want.back()}), "");
  }
  EXPECT_GT(failures, 0);
  EXPECT_GT(successes, 0);
}

// One token after the other, with guesses about the next layer that fail as well.
TEST(FailingDiskTest, ErrorsEndDecodingAndLeaveNoTrace) {
  EngineOptions options = TestOptions();
  options.prefetch = Prefetch::kOn;
  options.wrap_reader = [](std::unique_ptr<AsyncReader> reader) {
    return std::make_unique<SimReader>(std::move(reader), SimOptions{.seed = 9,
                                                                     .error_rate = 0.0006,
                                                                     .early_end_rate = 0.0004,
                                                                     .split_rate = 0.2,
                                                                     .hold_rate = 0.3,
                                                                     .spike_rate = 0.0005,
                                                                     .spike_s = 0.02});
  };
  const auto engine = OpenAtFloor(TinyModel("tiny-random"), options);
  ASSERT_NE(engine, nullptr);
  auto session = engine->NewSession();
  ASSERT_TRUE(session.has_value());
  const std::vector<int32_t> tokens = SomeTokens(20, 500);
  const LogitRows want = AllLogits(TinyModel("tiny-random"), tokens);
  int failures = 0, successes = 0;
  for (int run = 0; run < 60; ++run) {
    session->Reset();
    LogitRows got;
    for (const int32_t token : tokens) {
      const Status status = session->Append(token);
      if (!status.has_value()) {
        EXPECT_THAT(status.error().ToString(),
                    testing::ContainsRegex("expert [0-9]+ of layer [0-9]+"));
        break;
      }
      got.emplace_back(session->logits().begin(), session->logits().end());
    }
    ++(got.size() == tokens.size() ? successes : failures);
    EXPECT_EQ(FirstDifference(got, LogitRows(want.begin(), want.begin() + std::ssize(got))), "");
  }
  EXPECT_GT(failures, 0);
  EXPECT_GT(successes, 0);
  EXPECT_GT(engine->model().store().stats().guesses_read, 0u);
}

// Ctrl-C while a disk hangs.
TEST(FailingDiskTest, APassThatWaitsForASilentDiskCanBeInterrupted) {
  CancelFlag cancel;
  SimReader* disk = nullptr;
  EngineOptions options = TestOptions();
  options.cancel = &cancel;
  options.wrap_reader = [&](std::unique_ptr<AsyncReader> reader) {
    auto sim = std::make_unique<SimReader>(std::move(reader), SimOptions{.latency_s = 1000});
    disk = sim.get();
    return sim;
  };
  const auto engine = OpenAtFloor(TinyModel("tiny-random"), options);
  ASSERT_NE(engine, nullptr);
  auto session = engine->NewSession();
  ASSERT_TRUE(session.has_value());
  const std::vector<int32_t> tokens = SomeTokens(20, 500);
  for (const auto part : {std::span(tokens), std::span(tokens).first(1)}) {
    cancel.Clear();
    std::jthread interrupt([&cancel] {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      cancel.Set();
    });
    const Status status = session->Sync(part);
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code, ErrorCode::kCancelled) << status.error().ToString();
  }
  EXPECT_GT(disk->in_flight(), 0u);
}

// Others take the machine's memory while the model computes, and give it back.
TEST(MemoryPressureTest, TakesSlotsAndChangesNothingElse) {
  uint64_t spare = uint64_t{1} << 40;
  EngineOptions options = TestOptions();
  options.spare_memory = [&] { return spare; };
  const auto engine = Open(TinyModel("tiny-random"), options);
  ASSERT_NE(engine, nullptr);
  const ExpertStore& store = engine->model().store();
  ASSERT_GT(store.slots_made(), store.slots_min());
  const std::vector<int32_t> tokens = SomeTokens(60, 500);
  const LogitRows want = AllLogits(*engine, tokens);
  const auto until_slots_are = [&](uint64_t slots) {
    for (const double end = NowSeconds() + 60; store.slots() != slots && NowSeconds() < end;) {
      ASSERT_EQ(FirstDifference(AllLogits(*engine, tokens), want), "");
    }
    EXPECT_EQ(store.slots(), slots);
    EXPECT_EQ(FirstDifference(AllLogits(*engine, tokens), want), "");
  };
  spare = 0;
  until_slots_are(store.slots_min());
  spare = uint64_t{1} << 40;
  until_slots_are(store.slots_made());
}

}  // namespace
}  // namespace flashmoe
