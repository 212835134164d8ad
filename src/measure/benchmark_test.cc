#include "measure/benchmark.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "base/memory.h"
#include "measure/html_page.h"

namespace flashmoe {
namespace {

using ::testing::HasSubstr;

const std::string kEmber = FLASHMOE_SOURCE_DIR "/models/ember/ember-q4_k_m.gguf";

FixedText SomeText() {
  std::vector<int32_t> ids;
  for (int i = 0; i < 500; ++i) ids.push_back(300 + i * 37 % 1000);
  return FixedText(std::move(ids));
}

BenchOptions Options() {
  BenchOptions options;
  options.engine.threads = 2;
  options.budgets = {ResidentBytes() + 180'000'000};
  options.prompt_tokens = {70};
  options.decode_tokens = 12;
  options.decode_position = 5;
  options.repetitions = 2;
  return options;
}

double Sum(const TimedRun& run) {
  const std::vector<TimePart> parts = run.Parts();
  return std::accumulate(parts.begin(), parts.end(), 0.0,
                         [](double sum, const TimePart& part) { return sum + part.seconds; });
}

TEST(BenchmarkTest, TextsBeginAgainAtTheirEnd) {
  const FixedText text({1, 2, 3, 4, 5});
  EXPECT_EQ(text.Slice(3, 4), (std::vector<int32_t>{4, 5, 1, 2}));
  EXPECT_EQ(text.Slice(12, 2), (std::vector<int32_t>{3, 4}));
}

TEST(BenchmarkTest, ReadingLowersTheRoofsOfComputingAlone) {
  RunSeries series;
  series.roofs.disk = 10;
  series.roofs.memory = 20;
  EXPECT_FALSE(series.roof_while_reading().has_value());
  series.speed_kept = 0.75;
  EXPECT_EQ(series.roof_while_reading(), 10);
  series.speed_kept = 0.25;
  EXPECT_EQ(series.roof_while_reading(), 5);
}

TEST(BenchmarkTest, MediansAndRanges) {
  EXPECT_EQ(SpreadOf({3, 1, 2}).median, 2);
  EXPECT_EQ(SpreadOf({4, 1, 2, 3}).median, 2.5);
  EXPECT_EQ(SpreadOf({4, 1, 2, 3}).least, 1);
  EXPECT_EQ(SpreadOf({4, 1, 2, 3}).most, 4);
}

TEST(BenchmarkTest, EachScenarioHasItsRunsAndPartsThatAddUp) {
  const auto report = RunBenchmark(kEmber, SomeText(), Options());
  ASSERT_TRUE(report.has_value()) << report.error().ToString();
  ASSERT_EQ(report->budgets.size(), 1u);
  const BudgetReport& budget = report->budgets.front();
  EXPECT_TRUE(budget.plan.memory.all_resident());
  ASSERT_EQ(budget.series.size(), 5u);
  for (const RunSeries& series : budget.series) {
    SCOPED_TRACE(Name(series.scenario));
    ASSERT_EQ(series.runs.size(), 2u);
    for (const TimedRun& run : series.runs) {
      EXPECT_EQ(run.tokens, series.decodes() ? 12 : 70);
      EXPECT_EQ(run.position, series.decodes() ? 5 : 0);
      EXPECT_EQ(run.steps.tokens, static_cast<uint64_t>(run.tokens));
      EXPECT_NEAR(Sum(run), run.seconds, 0.01 * run.seconds);
      EXPECT_NEAR(run.steps.total(), run.seconds, 0.2 * run.seconds);
      EXPECT_NEAR(run.disk_busy_s() + run.disk_idle_s(), run.seconds, 1e-9);
      EXPECT_GT(run.disk.bytes, 0u);
    }
    const TimedRun total = series.Total();
    EXPECT_EQ(total.tokens, series.tokens * 2);
    EXPECT_NEAR(total.seconds, series.runs[0].seconds + series.runs[1].seconds, 1e-9);
    const bool first = series.scenario == Scenario::kFirstPrefill;
    EXPECT_EQ(series.predicted_tokens_per_s.has_value(),
              !first && series.scenario != Scenario::kCold);
    EXPECT_EQ(series.run_roofs.size(), 2u);
    EXPECT_EQ(series.roofs.memory.has_value(), series.decodes());
    EXPECT_EQ(series.roofs.matrix.has_value(), !series.decodes());
    ASSERT_EQ(series.arithmetic_s.size(), series.decodes() ? 0u : first ? 2u : 3u);
    for (const double seconds : series.arithmetic_s) EXPECT_GT(seconds, 0);
    EXPECT_GT(series.roofs.matrix.value_or(1), 0);
  }
}

TEST(BenchmarkTest, ColdRunsReadAndWarmOnesFindWhatWasRead) {
  const auto report = RunBenchmark(kEmber, SomeText(), Options());
  ASSERT_TRUE(report.has_value()) << report.error().ToString();
  const std::vector<RunSeries>& series = report->budgets.front().series;
  const TimedRun cold = series[0].Total(), warm = series[1].Total();
  ASSERT_EQ(series[0].scenario, Scenario::kCold);
  ASSERT_EQ(series[1].scenario, Scenario::kWarm);
  EXPECT_GT(cold.store.bytes_read, 0u);
  EXPECT_LT(cold.hit_rate(), 1);
  EXPECT_EQ(cold.bytes_missed(), cold.store.bytes_read);
  EXPECT_TRUE(series[0].roofs.disk.has_value());
  if (series[0].speed_kept.has_value()) {  // not where the disk is too slow just then
    EXPECT_GT(*series[0].speed_kept, 0);
    EXPECT_LE(*series[0].speed_kept, 1);
    EXPECT_LE(*series[0].roof_while_reading(), *series[0].roofs.lowest());
  }
  EXPECT_EQ(warm.store.bytes_read, 0u);
  EXPECT_EQ(warm.hit_rate(), 1);
  EXPECT_EQ(warm.disk_busy_s(), 0);
  EXPECT_FALSE(series[1].roofs.disk.has_value());
  EXPECT_FALSE(series[1].speed_kept.has_value()) << "nothing was read";
  EXPECT_EQ(warm.store.requests, cold.store.requests) << "the same text routes the same";
}

TEST(BenchmarkTest, FirstPromptsFindNothingInMemory) {
  BenchOptions options = Options();
  options.scenarios = {Scenario::kFirstPrefill, Scenario::kPrefill};
  const auto report = RunBenchmark(kEmber, SomeText(), options);
  ASSERT_TRUE(report.has_value()) << report.error().ToString();
  const std::vector<RunSeries>& series = report->budgets.front().series;
  ASSERT_EQ(series.size(), 2u);
  for (const TimedRun& run : series[0].runs) {
    EXPECT_EQ(run.store.hits, 0u);
    EXPECT_GT(run.store.bytes_read, 0u);
  }
  EXPECT_EQ(series[1].Total().store.bytes_read, 0u);
}

TEST(BenchmarkTest, AskedForOneScenarioItRunsOne) {
  BenchOptions options = Options();
  options.scenarios = {Scenario::kWarm};
  options.budgets = {0, 40'000'000'000};
  options.repetitions = 1;
  EXPECT_EQ(TokensNeeded(options), 17);
  const auto report = RunBenchmark(kEmber, SomeText(), options);
  ASSERT_TRUE(report.has_value()) << report.error().ToString();
  ASSERT_EQ(report->budgets.size(), 2u);
  for (const BudgetReport& budget : report->budgets) {
    ASSERT_EQ(budget.series.size(), 1u);
    EXPECT_EQ(budget.series[0].Total().store.bytes_read, 0u) << "it was run before";
  }
  options.budgets = {1'000'000};
  const auto failed = RunBenchmark(kEmber, SomeText(), options);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, ErrorCode::kOutOfMemory);
}

TEST(BenchmarkTest, InterruptedItReportsTheRunsThatHadEnded) {
  CancelFlag cancel;
  BenchOptions options = Options();
  options.engine.cancel = &cancel;
  options.budgets = {0, 0};
  options.repetitions = 1000;
  const auto after = [&](uint64_t tokens) {
    return [&cancel, tokens](const Progress& p) {
      if (std::string_view(p.stage) == "measuring" && p.done >= tokens) cancel.Set();
    };
  };
  // After the first run of the second round.
  const auto report = RunBenchmark(kEmber, SomeText(), options, after(4 * 12));
  ASSERT_TRUE(report.has_value()) << report.error().ToString();
  EXPECT_TRUE(report->interrupted);
  ASSERT_EQ(report->budgets.size(), 1u);
  const std::vector<RunSeries>& series = report->budgets.front().series;
  ASSERT_EQ(series.size(), 3u) << "prompts had not begun";
  EXPECT_EQ(series[0].runs.size(), 2u);
  EXPECT_EQ(series[2].runs.size(), 1u);
  EXPECT_TRUE(series[2].predicted_tokens_per_s.has_value());

  // Before any had ended there is nothing to report.
  const auto nothing = RunBenchmark(kEmber, SomeText(), options);
  ASSERT_FALSE(nothing.has_value());
  EXPECT_EQ(nothing.error().code, ErrorCode::kCancelled);
}

TEST(BenchmarkTest, ScenariosHaveNames) {
  for (const char* name : {"cold", "warm", "varied", "prefill"}) {
    const auto scenario = ScenarioFromName(name);
    ASSERT_TRUE(scenario.has_value());
    EXPECT_EQ(Name(*scenario), name);
  }
  EXPECT_FALSE(ScenarioFromName("tepid").has_value());
}

TEST(HtmlPageTest, HasEveryRunAndNothingFromElsewhere) {
  BenchOptions options = Options();
  options.budgets = {ResidentBytes() + 90'000'000, ResidentBytes() + 190'000'000};
  options.repetitions = 1;
  const auto report = RunBenchmark(kEmber, SomeText(), options);
  ASSERT_TRUE(report.has_value()) << report.error().ToString();
  const std::string html = HtmlPage(*report);
  for (const char* part : {"decode, cold", "decode, warm", "decode, varied", "prompt of 70",
                           "Time per layer", "Speed of decoding", "prefers-color-scheme: dark"}) {
    EXPECT_THAT(html, HasSubstr(part));
  }
  for (const char* part : {"<script", "http:", "https:", "url(", "@import", "nan", "src="}) {
    EXPECT_THAT(html, ::testing::Not(HasSubstr(part)));
  }
}

}  // namespace
}  // namespace flashmoe
