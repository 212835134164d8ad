#include "experts/prefetch_guard.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace flashmoe {
namespace {

// Decoding as it might be: computing takes 20 ms, each missing expert is waited for 1 ms of its
// 2 ms, all with noise; guesses change a token's time by `factor`.
struct Decoding {
  double factor = 1;
  double miss_s = 1e-3;
  double noise_s = 2e-3;

  TokenCost Next(std::mt19937& random, bool guessed) const {
    const double missing = std::poisson_distribution<int>(10)(random);
    const double noise = std::normal_distribution<double>(0, noise_s)(random);
    const double waited = missing * miss_s;
    const double seconds = std::max(0.01, 0.02 + waited + noise) * (guessed ? factor : 1);
    return {.seconds = seconds, .waited_s = waited, .missing = missing};
  }
};

struct Outcome {
  double slowdown = 0;  // against never guessing
  double guessed = 0;   // share of the tokens
};

Outcome Decode(PrefetchGuard& guard, const Decoding& decoding, int tokens, uint32_t seed) {
  std::mt19937 random(seed);
  double with = 0, without = 0;
  int guessed = 0;
  for (int i = 0; i < tokens; ++i) {
    const bool guess = guard.Guesses();
    const TokenCost token = decoding.Next(random, guess);
    guard.Note(token);
    with += token.seconds;
    without += guess ? token.seconds / decoding.factor : token.seconds;
    guessed += guess ? 1 : 0;
  }
  return {with / without, static_cast<double>(guessed) / tokens};
}

// Over many seeds: a guard may err, but seldom and not for long.
Outcome MeanOutcome(const Decoding& decoding, int tokens) {
  Outcome mean;
  constexpr int kSeeds = 50;
  for (uint32_t seed = 0; seed < kSeeds; ++seed) {
    PrefetchGuard guard;
    const Outcome one = Decode(guard, decoding, tokens, seed);
    mean.slowdown += one.slowdown / kSeeds;
    mean.guessed += one.guessed / kSeeds;
  }
  return mean;
}

TEST(PrefetchGuardTest, GuessesWhereThatIsFaster) {
  const Outcome outcome = MeanOutcome({.factor = 0.9}, 1000);
  EXPECT_GT(outcome.guessed, 0.85);
  EXPECT_LT(outcome.slowdown, 0.92);
}

TEST(PrefetchGuardTest, StopsWhereThatIsSlower) {
  for (const double factor : {1.02, 1.05, 1.1, 1.2, 1.5}) {
    const Outcome outcome = MeanOutcome({.factor = factor}, 1000);
    EXPECT_LT(outcome.slowdown, 1.01) << factor;
    if (factor >= 1.05) {
      EXPECT_LT(outcome.guessed, 0.1) << factor;
    }
  }
}

TEST(PrefetchGuardTest, SmallLossesCostLittleEvenInAShortText) {
  for (const double factor : {1.01, 1.03, 1.1, 1.3}) {
    EXPECT_LT(MeanOutcome({.factor = factor}, 128).slowdown, 1.02) << factor;
  }
}

// What looks better is used between the pairs, long before it is certain.
TEST(PrefetchGuardTest, LeansToWhatSeemsBetterWhileItTries) {
  EXPECT_GT(MeanOutcome({.factor = 0.85, .noise_s = 8e-3}, 96).guessed, 0.4);
  EXPECT_LT(MeanOutcome({.factor = 1.15, .noise_s = 8e-3}, 96).guessed, 0.25);
}

TEST(PrefetchGuardTest, AShortAnswerIsNotForTrying) {
  EXPECT_EQ(MeanOutcome({.factor = 1.2}, 16).guessed, 0);
  EXPECT_GT(MeanOutcome({.factor = 1.2}, 32).guessed, 0);
}

TEST(PrefetchGuardTest, DoesNotTryWhereNothingIsWaitedFor) {
  const Outcome outcome = MeanOutcome({.factor = 1.1, .miss_s = 2e-5}, 1000);
  EXPECT_EQ(outcome.guessed, 0);
}

TEST(PrefetchGuardTest, NoticesThatThingsHaveChanged) {
  PrefetchGuard guard;
  EXPECT_LT(Decode(guard, {.factor = 1.2}, 1000, 1).guessed, 0.1);
  Decode(guard, {.factor = 0.8}, 3000, 2);
  EXPECT_GT(Decode(guard, {.factor = 0.8}, 1000, 3).guessed, 0.9);
  Decode(guard, {.factor = 1.3}, 3000, 4);
  EXPECT_LT(Decode(guard, {.factor = 1.3}, 1000, 5).guessed, 0.1);
}

// What a trial takes less of, the longer it has ended the same way.
TEST(PrefetchGuardTest, TriesEverMoreSeldom) {
  PrefetchGuard guard;
  const Decoding slower = {.factor = 1.2};
  const double early = Decode(guard, slower, 1000, 1).guessed;
  Decode(guard, slower, 8000, 2);
  EXPECT_LT(Decode(guard, slower, 8000, 3).guessed, early / 4);
}

TEST(GuessTrialTest, MissesExplainDifferences) {
  std::mt19937 random(3);
  GuessTrial trial;
  int pairs = 0;
  for (; !trial.decided(); ++pairs) {
    const double missing = std::normal_distribution<double>(0, 5)(random);
    const double rest = std::normal_distribution<double>(0, 1e-4)(random);
    const double saved_s = 1e-3 + missing * 1e-3 + rest;
    trial.Add({.seconds = 0.04, .missing = 20 + missing},
              {.seconds = 0.04 - saved_s, .missing = 20});
  }
  EXPECT_TRUE(trial.pays());
  EXPECT_LT(pairs, 10) << "5 ms of noise hide 1 ms, unless the misses are known";
}

TEST(GuessTrialTest, EndsThoughNothingIsCertain) {
  GuessTrial trial;
  int pairs = 0;
  for (; !trial.decided(); ++pairs) {
    trial.Add({.seconds = 0.02}, {.seconds = pairs % 2 == 0 ? 0.015 : 0.025});
  }
  EXPECT_EQ(pairs, 32);
  EXPECT_FALSE(trial.pays()) << "as fast is not enough";
}

TEST(WaitShareTest, KnowsAfterAFewAndForgets) {
  WaitShare share;
  EXPECT_FALSE(share.worth_saving());
  for (int i = 0; i < 4; ++i) share.Note(1, 0.1);
  EXPECT_TRUE(share.worth_saving());
  for (int i = 0; i < 60; ++i) share.Note(1, 0);
  EXPECT_FALSE(share.worth_saving());
  share.Note(1, 0.9);
  EXPECT_TRUE(share.worth_saving());
}

TEST(GuessTrialTest, OneTokenHeldUpDecidesNothing) {
  GuessTrial trial;
  std::mt19937 random(1);
  std::normal_distribution<double> noise(0, 1e-4);
  for (int pair = 0; !trial.decided(); ++pair) {
    // Guesses make tokens 5 % slower, but the system took a second from one without.
    const double without_s = pair == 0 ? 1.0 : 0.02 + noise(random);
    trial.Add({.seconds = without_s}, {.seconds = 0.021 + noise(random)});
  }
  EXPECT_FALSE(trial.pays());
}

}  // namespace
}  // namespace flashmoe
