// Prompts that begin alike: what is reused, and that nobody could tell.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/test_path.h"
#include "engine/scheduler.h"
#include "tests/scheduler/ticket.h"
#include "tests/support/sanitized.h"
#include "tests/support/test_model.h"

namespace flashmoe {
namespace {

namespace fs = std::filesystem;

class PrefixReuseTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    folder_ = TestPath("reuse");
    fs::remove_all(folder_);
    options_.sequences = 3;
    options_.chunk_max = 256;
    options_.checkpoints.memory_bytes = 64 << 20;
    options_.checkpoints.notice = [this](const Error& error) {
      notices_.push_back(error.ToString());
    };
  }
  void TearDown() override {
    scheduler_.reset();
    engine_.reset();  // has written what it wanted to keep
    fs::remove_all(folder_);
  }

  std::string path() const {
    return std::string(GetParam()) == "ember" ? BundledModel() : TinyModel(GetParam());
  }
  void Start(SchedulerOptions options = {}) {
    scheduler_.reset();
    engine_ = Open(path(), options_);
    ASSERT_NE(engine_, nullptr);
    options.slots = 3;
    scheduler_ = Scheduler::Create(*engine_, options).value();
  }
  GenerateResult Ask(const GenerateRequest& request) {
    Ticket ticket;
    EXPECT_TRUE(ticket.Submit(*scheduler_, request).has_value());
    auto result = ticket.end.get();
    if (result.has_value()) return *result;
    ADD_FAILURE() << result.error().ToString();
    return {};
  }
  std::vector<int32_t> Alone(const GenerateRequest& request) {
    if (alone_ == nullptr) {
      EngineOptions options = TestOptions();
      options.isa = options_.isa;
      options.kv = options_.kv;
      options.context = options_.context;
      alone_ = Open(path(), options);
    }
    return Greedy(*alone_, request.prompt, request.max_tokens);
  }
  // Turn `turn` of a conversation that begins with `system` tokens of its own.
  static GenerateRequest Turn(int64_t system, int turn, const std::vector<int32_t>& answer = {}) {
    std::vector<int32_t> prompt = SomeTokens(system, 500, 42);
    for (int i = 0; i <= turn; ++i) {
      if (i > 0) prompt.insert(prompt.end(), answer.begin(), answer.end());
      const auto user = SomeTokens(70 + 9 * i, 500, static_cast<uint64_t>(i) + 7);
      prompt.insert(prompt.end(), user.begin(), user.end());
    }
    GenerateRequest request = GreedyRequest(std::move(prompt), 12);
    request.checkpoints = {system, std::ssize(request.prompt) - 70 - 9 * turn};
    return request;
  }

  fs::path folder_;
  EngineOptions options_ = TestOptions();
  std::vector<std::string> notices_;
  std::unique_ptr<Engine> engine_, alone_;
  std::unique_ptr<Scheduler> scheduler_;
};

TEST_P(PrefixReuseTest, ContinuingEqualsAFreshRun) {
  Start();
  const GenerateRequest first = Turn(200, 0);
  const GenerateResult answer = Ask(first);
  EXPECT_EQ(answer.tokens, Alone(first));
  EXPECT_EQ(answer.prompt_tokens_reused, 0);
  // The next turn goes on near the end of the first prompt: 270 - 16, cut to a multiple of 64.
  const GenerateRequest second = Turn(200, 1, answer.tokens);
  const GenerateResult next = Ask(second);
  EXPECT_EQ(next.tokens, Alone(second));
  EXPECT_EQ(next.prompt_tokens_reused, 192);
  const GenerateRequest third = Turn(200, 2, answer.tokens);
  const GenerateResult last = Ask(third);
  EXPECT_EQ(last.tokens, Alone(third));
  EXPECT_EQ(last.prompt_tokens_reused, 320);
  // Another conversation shares the system prompt alone.
  GenerateRequest other = Turn(200, 0);
  for (size_t i = 200; i < other.prompt.size(); ++i) other.prompt[i] = other.prompt[i] % 400 + 3;
  const GenerateResult apart = Ask(other);
  EXPECT_EQ(apart.tokens, Alone(other));
  EXPECT_EQ(apart.prompt_tokens_reused, 192);
  EXPECT_EQ(Ask(first).tokens, answer.tokens) << "once more, now from 256";
  scheduler_->Inspect([](Engine&) {});  // stats are of the end of a step
  const SchedulerStats stats = scheduler_->stats();
  EXPECT_EQ(stats.reused_tokens, 192u + 320 + 192 + 256);
  EXPECT_EQ(stats.prefixes.used, 4u);
}

TEST_P(PrefixReuseTest, In8BitToo) {
  options_.kv = KvType::kQ8;
  options_.isa = "auto";
  auto engine = TryOpen(path(), options_);
  if (!engine.has_value()) {
    EXPECT_EQ(engine.error().code, ErrorCode::kUnsupported) << engine.error().ToString();
    EXPECT_THAT(engine.error().ToString(), testing::HasSubstr("8 bit"));
    return;
  }
  Start();
  for (int turn = 0; turn < 3; ++turn) {
    const GenerateRequest request = Turn(200, turn, {4, 5, 6});
    const GenerateResult result = Ask(request);
    EXPECT_EQ(result.tokens, Alone(request));
    EXPECT_EQ(result.prompt_tokens_reused > 0, turn > 0);
  }
}

TEST_P(PrefixReuseTest, ManyAtOnceStillEqualFreshRuns) {
  Start({.step_s = 0, .checkpoint_every = 128});
  for (int round = 0; round < 2; ++round) {
    std::vector<Ticket> tickets(6);
    std::vector<GenerateRequest> requests;
    for (size_t i = 0; i < tickets.size(); ++i) {
      requests.push_back(Turn(300, static_cast<int>(i) % 3, {5, 6, 7, 8}));
      requests.back().prompt.push_back(static_cast<int32_t>(i / 3));
      ASSERT_TRUE(tickets[i].Submit(*scheduler_, requests[i]).has_value());
    }
    for (size_t i = 0; i < tickets.size(); ++i) {
      const auto result = tickets[i].end.get();
      ASSERT_TRUE(result.has_value());
      EXPECT_EQ(result->tokens, Alone(requests[i])) << i;
      if (round > 0) {
        EXPECT_GE(result->prompt_tokens_reused, 320);
      }
    }
  }
}

TEST_P(PrefixReuseTest, SurvivesARestartAndDamage) {
  options_.checkpoints.folder = folder_.string();
  Start();
  const GenerateRequest request = Turn(400, 0);
  const GenerateResult first = Ask(request);
  scheduler_.reset();
  engine_.reset();
  Start();
  const GenerateResult again = Ask(request);
  EXPECT_EQ(again.tokens, first.tokens);
  EXPECT_EQ(again.prompt_tokens_reused, 448);
  scheduler_.reset();
  engine_.reset();
  for (const auto& entry : fs::directory_iterator(folder_)) {
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(200);
    file.put('!');
  }
  EXPECT_TRUE(notices_.empty());
  Start();
  const GenerateResult recomputed = Ask(request);
  EXPECT_EQ(recomputed.tokens, first.tokens);
  EXPECT_EQ(recomputed.prompt_tokens_reused, 0);
  ASSERT_FALSE(notices_.empty());
  EXPECT_THAT(notices_[0], testing::HasSubstr("damaged"));
  EXPECT_GT(scheduler_->stats().prefixes.damaged, 0u);
}

INSTANTIATE_TEST_SUITE_P(Models, PrefixReuseTest,
                         testing::Values("tiny-random", "tiny-random-qwen3moe", "ember"),
                         [](const auto& model) {
                           std::string name = model.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

// 4,000 tokens of system prompt and tools: the second request must not wait for them.
TEST(LongPrefixTest, TheSecondRequestHardlyWaits) {
  EngineOptions options = TestOptions("auto");
  options.context = 8192;
  options.sequences = 2;
  options.checkpoints.memory_bytes = 512 << 20;
  const auto engine = Open(BundledModel(), options);
  ASSERT_NE(engine, nullptr);
  const auto scheduler = Scheduler::Create(*engine, {.slots = 2}).value();
  double ttft_s[2] = {};
  for (int i = 0; i < 2; ++i) {
    GenerateRequest request = GreedyRequest(SomeTokens(4000, 500, 42), 2);
    const auto user = SomeTokens(20, 500, static_cast<uint64_t>(i));
    request.prompt.insert(request.prompt.end(), user.begin(), user.end());
    request.checkpoints = {4000};
    Ticket ticket;
    ASSERT_TRUE(ticket.Submit(*scheduler, request).has_value());
    const auto result = ticket.end.get();
    ASSERT_TRUE(result.has_value());
    ttft_s[i] = result->ttft_s;
    EXPECT_EQ(result->prompt_tokens_reused, i == 0 ? 0 : 3968);
  }
  RecordProperty("first_s", std::to_string(ttft_s[0]));
  RecordProperty("second_s", std::to_string(ttft_s[1]));
  // 5 % on a machine of its own; others may be at work on this one.
  if (!kSanitized) {
    EXPECT_LT(ttft_s[1], 0.2 * ttft_s[0]);
  }
}

}  // namespace
}  // namespace flashmoe
