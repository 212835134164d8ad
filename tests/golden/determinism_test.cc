// What may change speed must not change the output: reader, budget, threads, how a prompt is cut,
// where a sequence was interrupted.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "engine/generate.h"
#include "kernels/kernels.h"
#include "tests/support/least_memory.h"
#include "tests/support/test_model.h"

namespace flashmoe {
namespace {

#define EXPECT_SAME_LOGITS(got, want) EXPECT_EQ(FirstDifference((got), (want)), "")

// The prompt's logits, and those of some tokens fed one by one.
LogitRows PromptAndSteps(Engine& engine, std::span<const int32_t> tokens, size_t steps) {
  LogitRows rows = AllLogits(engine, tokens);
  auto session = engine.NewSession();
  if (!session.has_value()) {
    ADD_FAILURE() << session.error().ToString();
    return {};
  }
  Status status = session->Sync(tokens.first(tokens.size() - steps));
  for (size_t i = tokens.size() - steps; status.has_value(); ++i) {
    rows.emplace_back(session->logits().begin(), session->logits().end());
    if (i == tokens.size()) return rows;
    status = session->Append(tokens[i]);
  }
  ADD_FAILURE() << status.error().ToString();
  return {};
}

struct Subject {
  const char* name;
  int tokens;
};

class DeterminismTest : public testing::TestWithParam<std::tuple<Subject, std::string>> {
 protected:
  void SetUp() override {
    const auto& [subject, isa] = GetParam();
    path_ = std::string(subject.name) == "ember" ? BundledModel() : TinyModel(subject.name);
    tokens_ = SomeTokens(subject.tokens, 500);
    options_ = TestOptions(isa);
  }
  LogitRows Run(const EngineOptions& options) const {
    const auto engine = Open(path_, options);
    return engine == nullptr ? LogitRows() : PromptAndSteps(*engine, tokens_, 7);
  }

  std::string path_;
  std::vector<int32_t> tokens_;
  EngineOptions options_;
};

TEST_P(DeterminismTest, OutputDoesNotDependOnHowItIsComputed) {
  const auto engine = Open(path_, options_);
  ASSERT_NE(engine, nullptr);
  EXPECT_TRUE(engine->plan().memory.all_resident());
  const LogitRows want = PromptAndSteps(*engine, tokens_, 7);
  ASSERT_EQ(want.size(), tokens_.size() + 8);
  EXPECT_SAME_LOGITS(PromptAndSteps(*engine, tokens_, 7), want) << "second run";

  for (const int threads : {1, 3}) {
    EngineOptions options = options_;
    options.threads = threads;
    EXPECT_SAME_LOGITS(Run(options), want) << threads << " threads";
  }
  const MemoryPlan all = engine->plan().memory;
  const uint64_t half = all.experts / 2;
  for (const ReaderKind io : {ReaderKind::kUring, ReaderKind::kPread, ReaderKind::kMmap}) {
    for (const uint64_t extra : {uint64_t{0}, half}) {
      EngineOptions options = options_;
      options.io = io;
      // Which must not change anything either.
      options.prefetch = io == ReaderKind::kMmap ? Prefetch::kAuto : Prefetch::kOn;
      options.learning_routers = io == ReaderKind::kUring;
      const auto streaming = OpenAtFloor(path_, options, extra);
      ASSERT_NE(streaming, nullptr);
      const EnginePlan& plan = streaming->plan();
      EXPECT_FALSE(plan.memory.all_resident()) << plan.ToString();
      if (extra == 0) {
        EXPECT_LE(plan.memory.slots, all.slots / 2) << plan.ToString();
      }
      EXPECT_SAME_LOGITS(PromptAndSteps(*streaming, tokens_, 7), want) << plan.ToString();
      if (options.prefetch == Prefetch::kOn) {
        EXPECT_EQ(plan.memory.routers > 0, *options.learning_routers);
        EXPECT_GT(streaming->model().lookahead().tokens_guessed(), 0);
        EXPECT_GT(streaming->model().store().stats().guesses_read, 0u) << plan.ToString();
      }
    }
  }
}

TEST_P(DeterminismTest, OutputDoesNotDependOnTheCachePolicy) {
  const auto engine = Open(path_, options_);
  ASSERT_NE(engine, nullptr);
  const LogitRows want = PromptAndSteps(*engine, tokens_, 7);
  const uint64_t quarter = engine->plan().memory.experts / 4;
  for (const std::string& policy : CachePolicyNames()) {
    EngineOptions options = options_;
    options.cache_policy = CachePolicyFromName(policy).value();
    const auto streaming = OpenAtFloor(path_, options, quarter);
    ASSERT_NE(streaming, nullptr);
    EXPECT_FALSE(streaming->plan().memory.all_resident());
    EXPECT_SAME_LOGITS(PromptAndSteps(*streaming, tokens_, 7), want) << policy;
  }
}

TEST_P(DeterminismTest, PromptMayBeCutAtBlocks) {
  const auto engine = Open(path_, options_);
  ASSERT_NE(engine, nullptr);
  const LogitRows whole = AllLogits(*engine, tokens_);
  ASSERT_EQ(whole.size(), tokens_.size());
  auto session = engine->NewSession();
  ASSERT_TRUE(session.has_value());
  for (size_t end = 64; end < tokens_.size(); end += 64) {
    ASSERT_TRUE(session->Sync(std::span(tokens_).first(end)).has_value());
    const LogitRows got = {{session->logits().begin(), session->logits().end()}};
    EXPECT_SAME_LOGITS(got, LogitRows{whole[end - 1]}) << "cut at " << end;
  }
}

TEST_P(DeterminismTest, RewoundToAMarkASequenceIsAsIfReadAtOnce) {
  const auto engine = Open(path_, options_);
  ASSERT_NE(engine, nullptr);
  auto session = engine->NewSession();
  ASSERT_TRUE(session.has_value());
  std::vector<int32_t> first = SomeTokens(70, 500), second = first;
  const std::vector<int32_t> other = SomeTokens(40, 500, /*seed=*/7);
  first.insert(first.end(), other.begin(), other.end());
  second.insert(second.end(), other.rbegin(), other.rend());

  EXPECT_EQ(session->Rewind(first), 0) << "there is no mark";
  ASSERT_TRUE(session->Sync(std::span(first).first(64)).has_value());
  session->Mark();
  ASSERT_TRUE(session->Sync(first).has_value());
  ASSERT_TRUE(session->Append(5).has_value());
  EXPECT_EQ(session->Rewind(std::span(first).first(64)), 0) << "one token must be left to read";
  EXPECT_EQ(session->Rewind(SomeTokens(80, 500, /*seed=*/8)), 0);
  EXPECT_EQ(session->Rewind(second), 64);
  EXPECT_EQ(session->Rewind(second), 64) << "it is there";
  ASSERT_TRUE(session->Sync(second).has_value());
  const LogitRows rewound = {{session->logits().begin(), session->logits().end()}};

  auto fresh = engine->NewSession();
  ASSERT_TRUE(fresh.has_value());
  ASSERT_TRUE(fresh->Sync(second).has_value());
  const LogitRows at_once = {{fresh->logits().begin(), fresh->logits().end()}};
  EXPECT_SAME_LOGITS(rewound, at_once);

  ASSERT_TRUE(session->Sync(other).has_value());
  EXPECT_EQ(session->Rewind(second), 0) << "what it marked is overwritten";
}

std::vector<std::string> TableNames() {
  std::vector<std::string> names;
  for (const KernelTable* kernels : AvailableKernels()) names.emplace_back(kernels->name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Models, DeterminismTest,
                         testing::Combine(testing::Values(Subject{"tiny-random", 150},
                                                          Subject{"ember", 80}),
                                          testing::ValuesIn(TableNames())),
                         [](const auto& test) {
                           const std::string name = std::get<0>(test.param).name;
                           return (name == "ember" ? name : std::string("tiny")) + "_" +
                                  std::get<1>(test.param);
                         });

// Cuts elsewhere move tokens from the chunked to the stepwise form of the delta rule.
TEST(PromptPiecesTest, AnyCutChangesRoundingAlone) {
  const std::vector<int32_t> tokens = SomeTokens(200, 512);
  const auto engine = Open(TinyModel("tiny-random"), TestOptions());
  ASSERT_NE(engine, nullptr);
  const LogitRows whole = AllLogits(*engine, tokens);
  ASSERT_EQ(whole.size(), tokens.size());
  for (const size_t piece : {1, 3, 63, 65}) {
    auto session = engine->NewSession();
    ASSERT_TRUE(session.has_value());
    LogitRows got, want;
    for (size_t end = piece; end < tokens.size() + piece; end += piece) {
      const size_t stop = std::min(end, tokens.size());
      ASSERT_TRUE(session->Sync(std::span(tokens).first(stop)).has_value());
      got.emplace_back(session->logits().begin(), session->logits().end());
      want.push_back(whole[stop - 1]);
    }
    const double nmse = Nmse(got, want);
    EXPECT_LE(nmse, 1e-10) << "pieces of " << piece;
    RecordProperty(fmt::format("nmse_{}", piece), fmt::format("{:.3g}", nmse));
  }
}

// Within a long chunk, mixers and experts take blocks of it.
TEST(PromptPiecesTest, LongChunksEqualShortOnes) {
  const std::vector<int32_t> tokens = SomeTokens(1100, 512);
  EngineOptions options = TestOptions();
  options.context = 1200;
  const auto engine = Open(TinyModel("tiny-random"), options);
  ASSERT_NE(engine, nullptr);
  EXPECT_GT(engine->plan().memory.chunk_tokens, 1024);
  auto whole = engine->NewSession();
  ASSERT_TRUE(whole.has_value());
  ASSERT_TRUE(whole->Sync(tokens).has_value());
  auto pieces = engine->NewSession();
  ASSERT_TRUE(pieces.has_value());
  for (const size_t end : {64, 640, 1024, 1100}) {
    ASSERT_TRUE(pieces->Sync(std::span(tokens).first(end)).has_value());
  }
  const LogitRows want = {{whole->logits().begin(), whole->logits().end()}};
  const LogitRows got = {{pieces->logits().begin(), pieces->logits().end()}};
  EXPECT_SAME_LOGITS(got, want);
}

// A session that is handed another text forgets the first one.
TEST(PromptPiecesTest, SessionStartsAgainOnAnotherText) {
  const auto engine = Open(TinyModel("tiny-random"), TestOptions());
  ASSERT_NE(engine, nullptr);
  const std::vector<int32_t> first = SomeTokens(90, 512, 3), second = SomeTokens(70, 512, 4);
  const LogitRows want = AllLogits(*engine, second);
  auto session = engine->NewSession();
  ASSERT_TRUE(session.has_value());
  ASSERT_TRUE(session->Sync(first).has_value());
  ASSERT_TRUE(session->Sync(second).has_value());
  EXPECT_EQ(session->tokens(), second);
  const LogitRows got = {{session->logits().begin(), session->logits().end()}};
  EXPECT_SAME_LOGITS(got, LogitRows{want.back()});
  // The same text once more.
  ASSERT_TRUE(session->Sync(second).has_value());
  const LogitRows again = {{session->logits().begin(), session->logits().end()}};
  EXPECT_SAME_LOGITS(again, LogitRows{want.back()});
}

TEST(PromptPiecesTest, ReusedTokensAreCounted) {
  const auto engine = Open(TinyModel("tiny-random"), TestOptions());
  ASSERT_NE(engine, nullptr);
  auto session = engine->NewSession();
  ASSERT_TRUE(session.has_value());
  GenerateRequest request;
  request.prompt = SomeTokens(30, 500);
  request.max_tokens = 4;
  request.ignore_stop_tokens = true;
  const auto first = Generate(*engine, *session, request, {});
  ASSERT_TRUE(first.has_value()) << first.error().ToString();
  EXPECT_EQ(first->prompt_tokens, 30);
  EXPECT_EQ(first->prompt_tokens_reused, 0);

  // The conversation so far, without the last token, which nothing came after, and more.
  request.prompt = session->tokens();
  const auto held = static_cast<int64_t>(request.prompt.size());
  EXPECT_EQ(held, 33);
  request.prompt.push_back(7);
  const auto second = Generate(*engine, *session, request, {});
  ASSERT_TRUE(second.has_value()) << second.error().ToString();
  EXPECT_EQ(second->prompt_tokens_reused, held);

  request.prompt = SomeTokens(50, 500, /*seed=*/9);
  const auto other = Generate(*engine, *session, request, {});
  ASSERT_TRUE(other.has_value()) << other.error().ToString();
  EXPECT_EQ(other->prompt_tokens_reused, 0);
}

}  // namespace
}  // namespace flashmoe
