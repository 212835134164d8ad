#include "sample/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "sample/weight.h"

namespace flashmoe {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

SamplingParams Greedy() {
  SamplingParams params;
  params.temperature = 0;
  return params;
}

int32_t SampleOnce(const SamplingParams& params, std::vector<float> logits, int32_t vocab = -1) {
  if (vocab < 0) vocab = static_cast<int32_t>(logits.size());
  return Sampler(params, vocab).Sample(logits);
}

// The distribution that the documentation promises, computed the plain way.
std::vector<double> NaiveProbabilities(const SamplingParams& params, std::vector<float> logits) {
  struct Entry {
    double p;
    float logit;
    size_t id;
  };
  std::vector<Entry> entries;
  const float best = *std::max_element(logits.begin(), logits.end());
  for (size_t id = 0; id < logits.size(); ++id) {
    const double gap = static_cast<double>(logits[id]) - static_cast<double>(best);
    entries.push_back({std::exp(gap / static_cast<double>(params.temperature)), logits[id], id});
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.logit > b.logit; });
  const auto normalise = [&] {
    double sum = 0;
    for (const Entry& e : entries) sum += e.p;
    for (Entry& e : entries) e.p /= sum;
  };
  if (params.top_k > 0 && static_cast<size_t>(params.top_k) < entries.size()) {
    entries.resize(static_cast<size_t>(params.top_k));
  }
  normalise();
  double before = 0;
  size_t kept = 0;
  for (; kept < entries.size(); ++kept) {
    if (kept > 0 && before >= static_cast<double>(params.top_p)) break;
    before += entries[kept].p;
  }
  entries.resize(kept);
  normalise();
  const double least = static_cast<double>(params.min_p) * entries.front().p;
  std::erase_if(entries, [&](const Entry& e) { return e.p < least * (1 - 1e-12); });
  normalise();
  std::vector<double> probabilities(logits.size(), 0);
  for (const Entry& e : entries) probabilities[e.id] = e.p;
  return probabilities;
}

// Draws often and compares the counts with the expected distribution by a chi-square test. Seeds
// are fixed, so the outcome is the same in every run.
void ExpectDistribution(const SamplingParams& params, const std::vector<float>& logits,
                        int draws = 20'000) {
  const std::vector<double> expected = NaiveProbabilities(params, logits);
  Sampler sampler(params, static_cast<int32_t>(logits.size()));
  std::vector<int> counts(logits.size(), 0);
  for (int i = 0; i < draws; ++i) {
    std::vector<float> scratch = logits;
    const int32_t token = sampler.Sample(scratch);
    ASSERT_GE(token, 0);
    ++counts[static_cast<size_t>(token)];
  }
  double chi_square = 0;
  double rare_expected = 0;
  double rare_count = 0;
  int classes = 0;
  for (size_t id = 0; id < logits.size(); ++id) {
    const double want = expected[id] * draws;
    if (want == 0) {
      EXPECT_EQ(counts[id], 0) << "token " << id << " was filtered out";
    } else if (want < 8) {
      rare_expected += want;
      rare_count += counts[id];
    } else {
      chi_square += (counts[id] - want) * (counts[id] - want) / want;
      ++classes;
    }
  }
  if (rare_expected >= 8) {
    chi_square += (rare_count - rare_expected) * (rare_count - rare_expected) / rare_expected;
    ++classes;
  }
  const double freedom = std::max(1, classes - 1);
  EXPECT_LT(chi_square, freedom + 4 * std::sqrt(2 * freedom)) << classes << " classes";
}

std::vector<float> RandomLogits(size_t n, uint32_t seed, float scale = 2) {
  std::mt19937 rng(seed);
  std::vector<float> logits(n);
  for (float& logit : logits) {
    const float unit = static_cast<float>(rng() >> 8) / static_cast<float>(1 << 24);
    logit = scale * (2 * unit - 1);
  }
  return logits;
}

TEST(ExpNonPositiveTest, AgreesWithTheLibrary) {
  EXPECT_EQ(ExpNonPositive(0), 1);
  for (int i = 0; i <= 60'000; ++i) {
    const double x = -i / 1000.0;
    EXPECT_NEAR(ExpNonPositive(x) / std::exp(x), 1, 2e-15) << x;
  }
  EXPECT_EQ(ExpNonPositive(-60.001), 0);
  EXPECT_EQ(ExpNonPositive(-1e300), 0);
  EXPECT_EQ(ExpNonPositive(-std::numeric_limits<double>::infinity()), 0);
}

TEST(RandomTest, IsSplitmix64) {
  uint64_t state = 1234567;  // published test vector
  EXPECT_EQ(NextRandom(state), 6457827717110365317u);
  EXPECT_EQ(NextRandom(state), 3203168211198807973u);
  EXPECT_EQ(NextRandom(state), 9817491932198370423u);
}

TEST(GreedyTest, TakesTheBestAndTheLowestIdOnTies) {
  EXPECT_EQ(SampleOnce(Greedy(), {1, 5, 3}), 1);
  EXPECT_EQ(SampleOnce(Greedy(), {1, 5, 5, 5}), 1);
  EXPECT_EQ(SampleOnce(Greedy(), {-0.0f, 0.0f}), 0);
  EXPECT_EQ(SampleOnce(Greedy(), {-7, -7, -6}), 2);
  EXPECT_EQ(SampleOnce(Greedy(), {3}), 0);
}

TEST(SamplerTest, NanAndInfinityAreHandled) {
  SamplingParams hot;
  hot.seed = 3;
  SamplingParams top = hot;
  top.top_k = 2;
  SamplingParams nucleus = hot;
  nucleus.top_p = 0.9f;
  for (const SamplingParams& params : {Greedy(), hot, top, nucleus}) {
    EXPECT_EQ(SampleOnce(params, {kNan, -80, kNan, 2, -kInf}), 3);
    EXPECT_EQ(SampleOnce(params, {kNan, kInf, 1, kNan}), 1);
    EXPECT_EQ(SampleOnce(params, {kNan, kNan, kNan}), 0);
    EXPECT_EQ(SampleOnce(params, {-kInf, -kInf, -kInf}), 0);
    EXPECT_EQ(SampleOnce(params, {-kInf, -1e38f, -kInf}), 1);
  }
}

TEST(SamplerTest, PaddingRowsAreNeverChosen) {
  std::vector<SamplingParams> all(4);
  all[0].temperature = 0;
  all[1].top_k = 3;
  all[2].top_p = 0.5f;
  for (SamplingParams& params : all) {
    params.repetition_penalty = 1.2f;
    Sampler sampler(params, 3);
    const std::vector<int32_t> prompt = {0, 4, 3, -1, 1'000'000};  // ids out of range are ignored
    sampler.SeePrompt(prompt);
    for (int i = 0; i < 200; ++i) {
      std::vector<float> logits = {1, 1, 1, 1000, kInf};
      EXPECT_LT(sampler.Sample(logits), 3);
    }
  }
}

TEST(SamplerTest, DrawsFromTheSoftmax) {
  SamplingParams params;
  params.seed = 42;
  ExpectDistribution(params, {0, 1, 2, 3});
  ExpectDistribution(params, std::vector<float>(50, -3.0f));
  ExpectDistribution(params, RandomLogits(300, 7));
}

TEST(SamplerTest, TemperatureSharpensAndFlattens) {
  for (const float temperature : {0.1f, 0.7f, 1.5f, 20.0f}) {
    SamplingParams params;
    params.seed = 5;
    params.temperature = temperature;
    ExpectDistribution(params, RandomLogits(60, 8));
  }
  SamplingParams cold;
  cold.temperature = 1e-38f;
  EXPECT_EQ(SampleOnce(cold, {1, 1.0001f, 1}), 1);
}

TEST(SamplerTest, TopKKeepsTheLowestIdsOfEqualLogits) {
  SamplingParams params;
  params.seed = 6;
  for (const int32_t k : {1, 2, 7, 59, 60, 61, 10'000}) {
    params.top_k = k;
    ExpectDistribution(params, RandomLogits(60, 9), 5000);
  }
  params.top_k = 3;
  ExpectDistribution(params, {1, 2, 2, 2, 2, 0});
  ExpectDistribution(params, std::vector<float>(10, 1.0f));
}

TEST(SamplerTest, TopPKeepsTheSmallestSetThatReachesIt) {
  SamplingParams params;
  params.seed = 10;
  for (const float p : {0.0f, 0.05f, 0.3f, 0.5f, 0.95f, 0.999f}) {
    params.top_p = p;
    ExpectDistribution(params, RandomLogits(200, 11, 3));
    ExpectDistribution(params, {1, 1, 1, 1, 1, 1});
  }
  params.top_p = 0.5f;  // exactly reached by the first of two equal ones
  EXPECT_EQ(SampleOnce(params, {4, 4}), 0);
}

TEST(SamplerTest, MinPIsRelativeToTheBest) {
  SamplingParams params;
  params.seed = 12;
  for (const float p : {0.01f, 0.1f, 0.5f, 1.0f}) {
    params.min_p = p;
    ExpectDistribution(params, RandomLogits(100, 13, 3));
  }
  params.min_p = 1;  // all that tie with the best stay
  ExpectDistribution(params, {2, 1, 2, 1, 2});
}

TEST(SamplerTest, FiltersCombineInOrder) {
  uint32_t seed = 20;
  for (const int32_t k : {0, 5, 40}) {
    for (const float top_p : {0.6f, 0.97f}) {
      for (const float min_p : {0.0f, 0.2f}) {
        SamplingParams params;
        params.seed = ++seed;
        params.temperature = 0.8f;
        params.top_k = k;
        params.top_p = top_p;
        params.min_p = min_p;
        ExpectDistribution(params, RandomLogits(120, seed, 4), 8000);
      }
    }
  }
}

TEST(SamplerTest, LargeVocabulariesDrawOnlyWhatTheFiltersKeep) {
  std::vector<float> logits = RandomLogits(248'320, 31, 12);
  SamplingParams params;
  params.top_p = 0.9f;
  params.temperature = 0.7f;
  const std::vector<double> expected = NaiveProbabilities(params, logits);
  for (uint64_t seed = 0; seed < 20; ++seed) {
    params.seed = seed;
    EXPECT_GT(expected[static_cast<size_t>(SampleOnce(params, logits))], 0) << seed;
  }
}

// Greedy decoding of fixed logits shows a penalty by the token at which the choice turns over.
TEST(PenaltyTest, RepetitionDividesPositiveAndMultipliesNegativeLogits) {
  SamplingParams params = Greedy();
  params.repetition_penalty = 2;
  const std::vector<int32_t> prompt = {0, 0, 0};
  const auto after_prompt = [&](std::vector<float> logits) {
    Sampler sampler(params, static_cast<int32_t>(logits.size()));
    sampler.SeePrompt(prompt);
    return sampler.Sample(logits);
  };
  EXPECT_EQ(after_prompt({4, 1.99f}), 0);
  EXPECT_EQ(after_prompt({4, 2.01f}), 1);
  EXPECT_EQ(after_prompt({-1, -2.01f}), 0);
  EXPECT_EQ(after_prompt({-1, -1.99f}), 1);
}

TEST(PenaltyTest, RepetitionCountsGeneratedTokensOnceToo) {
  SamplingParams params = Greedy();
  params.repetition_penalty = 2;
  Sampler sampler(params, 3);
  std::vector<int32_t> tokens;
  for (int i = 0; i < 4; ++i) {
    std::vector<float> logits = {8, 6, 3.5f};  // halved once: 4, 3, 1.75
    tokens.push_back(sampler.Sample(logits));
  }
  EXPECT_THAT(tokens, testing::ElementsAre(0, 1, 0, 0));
}

TEST(PenaltyTest, PresenceIsPaidOnceAndNotForThePrompt) {
  SamplingParams params = Greedy();
  params.presence_penalty = 1.5f;
  Sampler sampler(params, 3);
  const std::vector<int32_t> prompt = {0, 1, 2};
  sampler.SeePrompt(prompt);
  std::vector<int32_t> tokens;
  for (int i = 0; i < 4; ++i) {
    std::vector<float> logits = {5, 4, 3.4f};  // 3.5, 2.5 once seen
    tokens.push_back(sampler.Sample(logits));
  }
  EXPECT_THAT(tokens, testing::ElementsAre(0, 1, 0, 0));
}

TEST(PenaltyTest, FrequencyGrowsWithTheCount) {
  SamplingParams params = Greedy();
  params.frequency_penalty = 0.5f;
  Sampler sampler(params, 2);
  std::vector<int32_t> tokens;
  for (int i = 0; i < 6; ++i) {
    std::vector<float> logits = {5, 3.9f};  // 5, 4.5, 4, 3.5: overtaken after three
    tokens.push_back(sampler.Sample(logits));
  }
  EXPECT_THAT(tokens, testing::ElementsAre(0, 0, 0, 1, 0, 1));
}

TEST(PenaltyTest, NegativePenaltiesEncourage) {
  SamplingParams params = Greedy();
  params.presence_penalty = -1;
  Sampler sampler(params, 2);
  std::vector<float> first = {1, 0};
  EXPECT_EQ(sampler.Sample(first), 0);
  std::vector<float> second = {1, 1.9f};
  EXPECT_EQ(sampler.Sample(second), 0);
  std::vector<float> third = {1, 2.1f};
  EXPECT_EQ(sampler.Sample(third), 1);
}

TEST(PenaltyTest, RepetitionComesBeforeTheOthers) {
  SamplingParams params = Greedy();
  params.repetition_penalty = 2;
  params.presence_penalty = 1;
  params.logit_bias = {{0, 0.5f}};
  Sampler sampler(params, 2);
  std::vector<float> first = {9, 0};
  EXPECT_EQ(sampler.Sample(first), 0);
  std::vector<float> second = {8, 3.49f};  // 8 / 2 - 1 + 0.5 = 3.5, not (8 - 1 + 0.5) / 2 = 3.75
  EXPECT_EQ(sampler.Sample(second), 0);
  std::vector<float> third = {8, 3.51f};
  EXPECT_EQ(sampler.Sample(third), 1);
}

TEST(LogitBiasTest, BansAndForces) {
  SamplingParams params;
  params.seed = 1;
  params.logit_bias = {{2, -100.0f}};
  Sampler banning(params, 3);
  for (int i = 0; i < 500; ++i) {
    std::vector<float> logits = {0, 0, 20};
    EXPECT_NE(banning.Sample(logits), 2);
  }
  params.logit_bias = {{1, 100.0f}};
  Sampler forcing(params, 3);
  for (int i = 0; i < 500; ++i) {
    std::vector<float> logits = {5, -20, 5};
    EXPECT_EQ(forcing.Sample(logits), 1);
  }
}

TEST(LogitBiasTest, ShiftsTheDistribution) {
  SamplingParams params;
  params.seed = 14;
  params.logit_bias = {{0, 1.0f}, {2, -1.0f}};
  Sampler sampler(params, 3);
  std::map<int32_t, int> counts;
  for (int i = 0; i < 20'000; ++i) {
    std::vector<float> logits = {0, 0, 0};
    ++counts[sampler.Sample(logits)];
  }
  const double total = std::exp(1) + 1 + std::exp(-1);
  EXPECT_NEAR(counts[0], 20'000 * std::exp(1) / total, 250);
  EXPECT_NEAR(counts[1], 20'000 / total, 250);
}

TEST(SamplerTest, SameSeedSameTokensOtherSeedOthers) {
  const auto run = [](uint64_t seed) {
    SamplingParams params;
    params.seed = seed;
    params.top_p = 0.95f;
    params.presence_penalty = 0.3f;
    Sampler sampler(params, 500);
    std::vector<int32_t> tokens;
    for (uint32_t i = 0; i < 50; ++i) {
      std::vector<float> logits = RandomLogits(500, i, 5);
      tokens.push_back(sampler.Sample(logits));
    }
    return tokens;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

// Written down once: a change means that saved seeds no longer reproduce their text.
TEST(SamplerTest, TokensOfASeedStayTheSame) {
  SamplingParams params;
  params.seed = 2024;
  params.temperature = 0.9f;
  params.top_k = 40;
  params.top_p = 0.95f;
  Sampler sampler(params, 1000);
  std::vector<int32_t> tokens;
  for (uint32_t i = 0; i < 8; ++i) {
    std::vector<float> logits = RandomLogits(1000, i, 5);
    tokens.push_back(sampler.Sample(logits));
  }
  EXPECT_THAT(tokens, testing::ElementsAre(540, 1, 274, 267, 0, 303, 237, 808));
}

TEST(ValidateTest, AcceptsTheDefaultsAndTheLimits) {
  EXPECT_TRUE(Validate({}, 10).has_value());
  SamplingParams params;
  params.temperature = 0;
  params.top_p = 0;
  params.min_p = 1;
  params.top_k = 1'000'000;
  params.presence_penalty = -2;
  params.frequency_penalty = 2;
  params.logit_bias = {{0, -100.0f}, {9, 100.0f}};
  EXPECT_TRUE(Validate(params, 10).has_value());
}

TEST(ValidateTest, NamesWhatIsOutOfRange) {
  struct Case {
    const char* text;
    void (*break_it)(SamplingParams&);
  };
  const Case cases[] = {
      {"temperature is -1", [](SamplingParams& p) { p.temperature = -1; }},
      {"temperature is nan", [](SamplingParams& p) { p.temperature = kNan; }},
      {"temperature is inf", [](SamplingParams& p) { p.temperature = kInf; }},
      {"top_k is -1", [](SamplingParams& p) { p.top_k = -1; }},
      {"top_p is 1.5", [](SamplingParams& p) { p.top_p = 1.5f; }},
      {"top_p is nan", [](SamplingParams& p) { p.top_p = kNan; }},
      {"min_p is -0.5", [](SamplingParams& p) { p.min_p = -0.5f; }},
      {"presence_penalty is 3", [](SamplingParams& p) { p.presence_penalty = 3; }},
      {"frequency_penalty is -3", [](SamplingParams& p) { p.frequency_penalty = -3; }},
      {"repetition_penalty is 0", [](SamplingParams& p) { p.repetition_penalty = 0; }},
      {"logit_bias names token 10",
       [](SamplingParams& p) {
         p.logit_bias = {{10, 1.0f}};
       }},
      {"logit_bias names token -1",
       [](SamplingParams& p) {
         p.logit_bias = {{-1, 1.0f}};
       }},
      {"logit_bias of token 3 is 101",
       [](SamplingParams& p) {
         p.logit_bias = {{3, 101.0f}};
       }},
      {"logit_bias of token 3 is nan",
       [](SamplingParams& p) {
         p.logit_bias = {{3, kNan}};
       }},
  };
  for (const Case& c : cases) {
    SamplingParams params;
    c.break_it(params);
    const Status status = Validate(params, 10);
    ASSERT_FALSE(status.has_value()) << c.text;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidInput);
    EXPECT_EQ(status.error().what, c.text);
    EXPECT_FALSE(status.error().hint.empty());
  }
}

}  // namespace
}  // namespace flashmoe
