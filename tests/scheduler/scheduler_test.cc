// What requests that run together can rely on.
#include "engine/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <random>
#include <thread>

#include "io/sim_reader.h"
#include "tests/scheduler/ticket.h"
#include "tests/support/least_memory.h"
#include "tests/support/test_model.h"

namespace flashmoe {
namespace {

using testing::HasSubstr;

constexpr char kTiny[] = "tiny-random";

class SchedulerTest : public testing::Test {
 protected:
  void Start(const std::string& path, int slots, SchedulerOptions scheduler = {},
             EngineOptions options = TestOptions()) {
    options.sequences = slots;
    engine_ = Open(path, options);
    ASSERT_NE(engine_, nullptr);
    scheduler.slots = slots;
    auto created = Scheduler::Create(*engine_, scheduler);
    ASSERT_TRUE(created.has_value()) << created.error().ToString();
    scheduler_ = std::move(*created);
  }
  // After the step that ended the last job: stats are of its end.
  SchedulerStats SettledStats() {
    EXPECT_TRUE(scheduler_->Inspect([](Engine&) {}));
    return scheduler_->stats();
  }
  GenerateResult Alone(const GenerateRequest& request) {
    auto engine = Open(path_, options_);
    auto session = engine->NewSession();
    return Generate(*engine, *session, request, {}).value();
  }

  std::string path_ = TinyModel(kTiny);
  EngineOptions options_ = TestOptions();
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Scheduler> scheduler_;
};

TEST_F(SchedulerTest, EachOfManyAnswersEqualsItsOwn) {
  // Prompts below, at and above what a step reads; more requests than slots.
  for (const double step_s : {0.0, 10.0}) {
    Start(path_, 4, {.step_s = step_s});
    std::vector<GenerateRequest> requests;
    for (const int64_t length : {1, 64, 100, 700, 63, 129, 400, 20}) {
      const auto seed = static_cast<uint64_t>(length);
      requests.push_back(GreedyRequest(SomeTokens(length, 500, seed), 5 + length % 30));
    }
    requests[3].sampling.temperature = 0.8f;
    requests[3].sampling.top_p = 0.9f;
    requests[3].sampling.seed = 77;
    std::vector<Ticket> tickets(requests.size());
    for (size_t i = 0; i < requests.size(); ++i) {
      ASSERT_TRUE(tickets[i].Submit(*scheduler_, requests[i]).has_value());
    }
    for (size_t i = 0; i < requests.size(); ++i) {
      const auto result = tickets[i].end.get();
      ASSERT_TRUE(result.has_value()) << result.error().ToString();
      const GenerateResult want = Alone(requests[i]);
      EXPECT_EQ(result->tokens, want.tokens) << i;
      EXPECT_EQ(result->text, want.text) << i;
      EXPECT_EQ(tickets[i].text, want.text) << i;
      EXPECT_EQ(tickets[i].tokens, want.tokens) << i;
      EXPECT_EQ(result->finish, FinishReason::kLength);
      EXPECT_EQ(result->prompt_tokens, std::ssize(requests[i].prompt));
      EXPECT_GT(result->ttft_s, 0);
    }
    const SchedulerStats stats = SettledStats();
    EXPECT_EQ(stats.submitted, 8u);
    EXPECT_EQ(stats.ended_length, 8u);
    EXPECT_EQ(stats.running, 0);
    EXPECT_EQ(stats.positions_used, 0);
    EXPECT_EQ(stats.request.count, 8u);
    scheduler_.reset();
  }
}

// What shares a step with an expert that cannot be read ends with its error; whoever comes after
// gets the answer that a good disk gives.
TEST_F(SchedulerTest, AFailingDiskEndsTheRequestsOfAStepAndNoOthers) {
  SimReader* disk = nullptr;
  EngineOptions options = TestOptions();
  options.sequences = 4;
  options.wrap_reader = [&](std::unique_ptr<AsyncReader> reader) {
    auto sim = std::make_unique<SimReader>(std::move(reader), SimOptions{.error_rate = 0.002});
    disk = sim.get();
    return sim;
  };
  engine_ = OpenAtFloor(path_, options);
  ASSERT_NE(engine_, nullptr);
  auto created = Scheduler::Create(*engine_, {.slots = 4});
  ASSERT_TRUE(created.has_value()) << created.error().ToString();
  scheduler_ = std::move(*created);

  int failed = 0, ended = 0;
  for (int round = 0; round < 12; ++round) {
    if (round == 11) {
      ASSERT_TRUE(scheduler_->Inspect([&](Engine&) { disk->set_options({}); }));
    }
    std::vector<Ticket> tickets(4);
    std::vector<GenerateRequest> requests;
    for (int i = 0; i < 4; ++i) {
      requests.push_back(GreedyRequest(SomeTokens(5 + 30 * i, 500, 4 * round + i), 4));
      ASSERT_TRUE(tickets[i].Submit(*scheduler_, requests[i]).has_value());
    }
    for (int i = 0; i < 4; ++i) {
      const auto result = tickets[i].end.get();
      if (!result.has_value()) {
        ++failed;
        EXPECT_LT(round, 11);
        EXPECT_THAT(result.error().ToString(),
                    testing::ContainsRegex("expert [0-9]+ of layer [0-9]+"));
        continue;
      }
      ++ended;
      EXPECT_EQ(result->tokens, Alone(requests[i]).tokens);
    }
  }
  EXPECT_GT(failed, 0);
  EXPECT_GT(ended, 4) << "beside those of the last round";
  EXPECT_EQ(SettledStats().positions_used, 0);
}

TEST_F(SchedulerTest, AFullQueueRefusesAndSaysWhenToComeBack) {
  Start(path_, 1, {.queue_max = 2});
  std::promise<void> begun, go_on;
  Ticket first, second, third, fourth;
  bool told = false;
  first.on_piece = [&](const AnswerPiece&) {
    if (!std::exchange(told, true)) {
      begun.set_value();
      go_on.get_future().wait();
    }
    return true;
  };
  const GenerateRequest request = GreedyRequest(SomeTokens(5, 500), 3);
  ASSERT_TRUE(first.Submit(*scheduler_, request).has_value());
  begun.get_future().wait();
  ASSERT_TRUE(second.Submit(*scheduler_, request).has_value());
  ASSERT_TRUE(third.Submit(*scheduler_, request).has_value());
  const auto refused = fourth.Submit(*scheduler_, request);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kBusy);
  EXPECT_GE(refused.error().retry_after_s, 1);
  EXPECT_THAT(refused.error().ToString(), HasSubstr("2 requests are waiting already"));
  EXPECT_EQ(scheduler_->stats().queued, 2);
  EXPECT_EQ(scheduler_->stats().refused, 1u);
  go_on.set_value();
  for (Ticket* ticket : {&first, &second, &third}) EXPECT_TRUE(ticket->end.get().has_value());
}

TEST_F(SchedulerTest, WhatIsWrongWithARequestIsSaidAtOnce) {
  Start(path_, 2);
  const auto refusal = [&](const GenerateRequest& request) {
    Ticket ticket;
    const auto result = ticket.Submit(*scheduler_, request);
    EXPECT_FALSE(result.has_value());
    if (result.has_value()) return std::string();
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidInput);
    return result.error().ToString();
  };
  EXPECT_THAT(refusal(GreedyRequest({}, 1)), HasSubstr("empty"));
  EXPECT_THAT(refusal(GreedyRequest(SomeTokens(1025, 500), 1)), HasSubstr("context of 1024"));
  EXPECT_THAT(refusal(GreedyRequest({100'000}, 1)), HasSubstr("100000"));
  GenerateRequest hot = GreedyRequest({1}, 1);
  hot.sampling.temperature = -1;
  EXPECT_THAT(refusal(hot), HasSubstr("temperature"));
  EXPECT_EQ(scheduler_->stats().submitted, 0u);
}

TEST_F(SchedulerTest, ACancelledJobEndsAndTheOthersGoOn) {
  Start(path_, 2);
  Ticket leaving, staying, waiting;
  leaving.on_piece = [&](const AnswerPiece&) {
    if (leaving.tokens.size() == 3) leaving.cancel->Set();
    return true;
  };
  const GenerateRequest request = GreedyRequest(SomeTokens(70, 500), 40);
  ASSERT_TRUE(leaving.Submit(*scheduler_, request).has_value());
  ASSERT_TRUE(staying.Submit(*scheduler_, request).has_value());
  waiting.cancel->Set();
  ASSERT_TRUE(waiting.Submit(*scheduler_, request).has_value());
  const auto left = leaving.end.get();
  ASSERT_TRUE(left.has_value());
  EXPECT_EQ(left->finish, FinishReason::kCancelled);
  EXPECT_EQ(left->tokens.size(), 3u);
  const auto stayed = staying.end.get();
  ASSERT_TRUE(stayed.has_value());
  EXPECT_EQ(stayed->tokens, Alone(request).tokens);
  const auto waited = waiting.end.get();
  ASSERT_TRUE(waited.has_value());
  EXPECT_EQ(waited->finish, FinishReason::kCancelled);
  EXPECT_TRUE(waited->tokens.empty());
}

TEST_F(SchedulerTest, StopLetsRunningJobsEndAndCancelsTheRest) {
  Start(path_, 1);
  Ticket running, waiting, late;
  std::promise<void> begun;
  running.on_piece = [&](const AnswerPiece&) {
    if (running.tokens.size() == 1) begun.set_value();
    return true;
  };
  ASSERT_TRUE(running.Submit(*scheduler_, GreedyRequest(SomeTokens(9, 500), 60)).has_value());
  ASSERT_TRUE(waiting.Submit(*scheduler_, GreedyRequest(SomeTokens(9, 500), 6)).has_value());
  begun.get_future().wait();
  scheduler_->Stop(60);
  EXPECT_EQ(running.end.get()->finish, FinishReason::kLength);
  EXPECT_EQ(waiting.end.get()->finish, FinishReason::kCancelled);
  const auto refused = late.Submit(*scheduler_, GreedyRequest({1}, 1));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kBusy);
  EXPECT_FALSE(scheduler_->Inspect([](Engine&) {}));
}

TEST_F(SchedulerTest, StopWithoutGraceCancelsWhatRuns) {
  Start(path_, 2);
  Ticket running;
  std::promise<void> begun;
  running.on_piece = [&](const AnswerPiece&) {
    if (running.tokens.size() == 1) begun.set_value();
    return true;
  };
  ASSERT_TRUE(running.Submit(*scheduler_, GreedyRequest(SomeTokens(9, 500), 1000)).has_value());
  begun.get_future().wait();
  scheduler_.reset();
  EXPECT_EQ(running.end.get()->finish, FinishReason::kCancelled);
}

TEST_F(SchedulerTest, LogprobsAreThoseOfTheModel) {
  Start(path_, 2);
  GenerateRequest request = GreedyRequest(SomeTokens(9, 500), 4);
  request.top_logprobs = 3;
  Ticket ticket;
  ticket.on_piece = [](const AnswerPiece& piece) {
    if (piece.token < 0) return true;
    EXPECT_EQ(piece.top.size(), 3u);
    EXPECT_EQ(piece.top[0].token, piece.token) << "greedy";
    EXPECT_EQ(piece.top[0].logprob, piece.logprob);
    EXPECT_GE(piece.top[0].logprob, piece.top[1].logprob);
    EXPECT_LT(piece.logprob, 0);
    return true;
  };
  ASSERT_TRUE(ticket.Submit(*scheduler_, request).has_value());
  const auto result = ticket.end.get();
  ASSERT_TRUE(result.has_value());
  request.top_logprobs = -1;
  EXPECT_EQ(result->tokens, Alone(request).tokens);
}

TEST_F(SchedulerTest, StopStringsAndTheReaderEndAnAnswer) {
  Start(BundledModel(), 2);
  path_ = BundledModel();
  GenerateRequest request = GreedyRequest(engine_->text().Encode("Once upon a time"), 30);
  const std::string whole = Alone(request).text;
  ASSERT_GT(whole.size(), 20u);
  request.stop = {whole.substr(10, 4)};
  Ticket stopped, ended;
  ended.on_piece = [&](const AnswerPiece&) { return ended.tokens.size() < 2; };
  ASSERT_TRUE(stopped.Submit(*scheduler_, request).has_value());
  request.stop.clear();
  ASSERT_TRUE(ended.Submit(*scheduler_, request).has_value());
  const auto result = stopped.end.get();
  EXPECT_EQ(result->finish, FinishReason::kStop);
  EXPECT_EQ(result->text, whole.substr(0, whole.find(whole.substr(10, 4))));
  EXPECT_EQ(result->stop_string, whole.substr(10, 4));
  EXPECT_EQ(stopped.text, result->text);
  const auto left = ended.end.get();
  EXPECT_EQ(left->finish, FinishReason::kStop);
  EXPECT_EQ(left->stop_string, "");
  EXPECT_EQ(left->tokens.size(), 2u);
}

TEST_F(SchedulerTest, OthersMayLookIn) {
  Start(path_, 2);
  struct Counter : ForwardObserver {
    std::atomic<int> passes = 0;
    void OnFinalNorm(std::span<const float>) override { ++passes; }
  };
  const auto counter = std::make_shared<Counter>();
  scheduler_->SetObserver(counter);
  Ticket ticket;
  ASSERT_TRUE(ticket.Submit(*scheduler_, GreedyRequest(SomeTokens(9, 500), 4)).has_value());
  ASSERT_TRUE(ticket.end.get().has_value());
  EXPECT_EQ(counter->passes, 4);
  uint64_t slots = 0;
  EXPECT_TRUE(scheduler_->Inspect([&](Engine& e) { slots = e.model().store().slots(); }));
  EXPECT_GT(slots, 0u);
  EXPECT_EQ(SettledStats().steps, 4u);
  EXPECT_EQ(SettledStats().step_tokens, 9u + 3u);
}

// Memory for the positions of one context, three slots: jobs wait for what others let go of, and
// where all wait, the last one gives way.
TEST_F(SchedulerTest, JobsShareTheMemoryForPositions) {
  options_.context = 256;
  Start(path_, 3, {.positions_max = 300}, options_);
  std::vector<Ticket> tickets(6);
  const GenerateRequest request = GreedyRequest(SomeTokens(100, 500), 10'000);
  for (Ticket& ticket : tickets) ASSERT_TRUE(ticket.Submit(*scheduler_, request).has_value());
  int ended = 0;
  const std::vector<int32_t> want = Alone(request).tokens;
  for (Ticket& ticket : tickets) {
    const auto result = ticket.end.get();
    EXPECT_TRUE(std::ranges::equal(ticket.tokens, std::span(want).first(ticket.tokens.size())));
    if (result.has_value()) {
      ++ended;
      EXPECT_EQ(result->tokens.size(), 157u) << "to the end of the context";
      EXPECT_EQ(result->finish, FinishReason::kLength);
    } else {
      EXPECT_EQ(result.error().code, ErrorCode::kOutOfMemory);
      EXPECT_THAT(result.error().ToString(), HasSubstr("positions of all sequences is used up"));
    }
  }
  EXPECT_GE(ended, 3);
  EXPECT_LT(ended, 6) << "two cannot both have 256 of so few";
  EXPECT_EQ(SettledStats().positions_used, 0);
}

TEST_F(SchedulerTest, AShortAnswerStartsWhenItCanEnd) {
  options_.context = 256;
  Start(path_, 3, {.positions_max = 300}, options_);
  std::vector<Ticket> tickets(6);
  const GenerateRequest request = GreedyRequest(SomeTokens(100, 500), 90);
  for (Ticket& ticket : tickets) ASSERT_TRUE(ticket.Submit(*scheduler_, request).has_value());
  for (Ticket& ticket : tickets) {
    const auto result = ticket.end.get();
    ASSERT_TRUE(result.has_value()) << result.error().ToString();
    EXPECT_EQ(result->tokens.size(), 90u);
  }
}

TEST_F(SchedulerTest, RandomSchedulesWithCancels) {
  auto engine = Open(path_, options_);
  ASSERT_NE(engine, nullptr);
  for (const uint64_t seed : {1, 2, 3}) {
    std::mt19937_64 random(seed);
    Start(path_, 3, {.queue_max = 1000, .step_s = seed == 1 ? 0.0 : 0.01});
    std::vector<Ticket> tickets(25);
    std::vector<GenerateRequest> requests;
    for (Ticket& ticket : tickets) {
      const auto length = 1 + static_cast<int64_t>(random() % 300);
      requests.push_back(GreedyRequest(SomeTokens(length, 500, static_cast<uint64_t>(length)),
                                       static_cast<int64_t>(random() % 20)));
      const auto leave_after = random() % 3 == 0 ? random() % 8 : 1000;
      ticket.on_piece = [&ticket, leave_after](const AnswerPiece&) {
        if (ticket.tokens.size() > leave_after) ticket.cancel->Set();
        return true;
      };
      ASSERT_TRUE(ticket.Submit(*scheduler_, requests.back()).has_value());
      if (random() % 4 == 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(random() % 20));
      }
      if (random() % 10 == 0) tickets[random() % requests.size()].cancel->Set();
    }
    for (size_t i = 0; i < tickets.size(); ++i) {
      const auto result = tickets[i].end.get();
      ASSERT_TRUE(result.has_value()) << result.error().ToString();
      auto session = engine->NewSession();
      const auto want = Generate(*engine, *session, requests[i], {});
      ASSERT_TRUE(want.has_value());
      ASSERT_LE(result->tokens.size(), want->tokens.size());
      EXPECT_TRUE(
          std::ranges::equal(result->tokens, std::span(want->tokens).first(result->tokens.size())));
      if (result->finish != FinishReason::kCancelled) {
        EXPECT_EQ(result->tokens.size(), want->tokens.size());
      }
    }
    const SchedulerStats stats = SettledStats();
    EXPECT_EQ(stats.submitted, 25u);
    EXPECT_EQ(stats.ended_length + stats.ended_cancelled, 25u);
    EXPECT_EQ(stats.positions_used, 0);
    scheduler_.reset();
  }
}

}  // namespace
}  // namespace flashmoe
