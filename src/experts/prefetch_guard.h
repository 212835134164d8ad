// Whether guessing pays, found out by trying. What guesses cost cannot be counted up: they are
// computed, some are wrong, and what arrives takes memory bandwidth from what computes. So tokens
// with and without guesses are timed in turn, and the faster way is kept for a while. Until that is
// certain, the tokens between those pairs go the way that seems faster.
#pragma once

#include <algorithm>
#include <cmath>

namespace flashmoe {

// The share of the time that goes into waiting for the disk where nothing has been guessed: no
// guess can save more.
class WaitShare {
 public:
  void Note(double seconds, double waited_s) {
    ++count_;
    const double step = std::max(1.0 / count_, kStep);
    seconds_ += (seconds - seconds_) * step;
    waited_s_ += (waited_s - waited_s_) * step;
  }
  bool worth_saving() const { return count_ >= kLeastCount && waited_s_ >= kLeastShare * seconds_; }

 private:
  static constexpr double kLeastShare = 0.03;
  static constexpr double kStep = 1.0 / 16;  // remembers about as many
  static constexpr int kLeastCount = 4;

  int count_ = 0;
  double seconds_ = 0, waited_s_ = 0;  // means
};

// What one token took.
struct TokenCost {
  double seconds = 0;
  double waited_s = 0;  // of these, for the disk
  double missing = 0;   // experts that were not in memory by themselves
};

// Pairs of tokens, one of each way. Tokens differ, above all by how many experts they miss; of the
// difference within a pair, what goes with the misses is taken out by regression, so that fewer
// pairs tell the ways apart. A token that something else held up counts no more than half of the
// other one longer than that.
class GuessTrial {
 public:
  void Add(const TokenCost& without, const TokenCost& with) {
    ++pairs_;
    without_s_ += without.seconds;
    const double most_s = kMostSaved * std::min(without.seconds, with.seconds);
    const double saved_s = std::clamp(without.seconds - with.seconds, -most_s, most_s);
    const double missing = without.missing - with.missing;
    const double saved_step = saved_s - saved_s_, missing_step = missing - missing_;
    saved_s_ += saved_step / pairs_;
    missing_ += missing_step / pairs_;
    saved_squares_ += saved_step * (saved_s - saved_s_);
    missing_squares_ += missing_step * (missing - missing_);
    products_ += saved_step * (missing - missing_);
  }

  bool decided() const {
    if (pairs_ < kLeastPairs) return false;
    return pairs_ == kMostPairs || std::abs(Gain()) > kErrors * StandardError();
  }
  bool pays() const { return Gain() > 0; }
  // The way that has looked better so far; `otherwise` where neither does.
  bool leans(bool otherwise) const {
    if (pairs_ < kLeastPairs / 2) return otherwise;
    const double gain = Gain();
    return std::abs(gain) > kLean * StandardError() ? gain > 0 : otherwise;
  }

 private:
  double Slope() const { return missing_squares_ > 0 ? products_ / missing_squares_ : 0; }
  // Time that guesses save a token, beyond the least that is worth the reads.
  double Gain() const { return saved_s_ - Slope() * missing_ - kLeastGain * without_s_ / pairs_; }
  double StandardError() const {
    const double squares = std::max(0.0, saved_squares_ - Slope() * products_);
    return std::sqrt(squares / (pairs_ - 2.0) / pairs_);
  }

  static constexpr double kMostSaved = 0.5;
  static constexpr double kLeastGain = 0.01;  // of a token's time
  static constexpr double kErrors = 2.5;      // standard errors that make certain
  static constexpr double kLean = 0.5;        // ... that make likely
  static constexpr int kLeastPairs = 6, kMostPairs = 32;

  int pairs_ = 0;
  double without_s_ = 0;              // sum
  double saved_s_ = 0, missing_ = 0;  // means, without guesses less with; the next: sums about them
  double saved_squares_ = 0, missing_squares_ = 0, products_ = 0;
};

// For tokens that come one by one:
//
//   const bool guess = guard.Guesses();
//   ... compute the token
//   guard.Note(what it took);
class PrefetchGuard {
 public:
  // Whether the coming token is one with guesses.
  bool Guesses() const {
    if (!trying_) return on_;
    if (rest_ > 0) return trial_.leans(on_);
    return first_with_ == !second_;
  }

  void Note(const TokenCost& token) {
    if (!Guesses()) share_.Note(token.seconds, token.waited_s);
    if (trying_ && rest_ > 0) {
      --rest_;
      return;
    }
    if (trying_) return NoteTrial(token);
    if (--left_ > 0 || !(on_ || share_.worth_saving())) return;
    trying_ = true;
    trial_ = {};
  }

 private:
  void NoteTrial(const TokenCost& token) {
    (Guesses() ? with_ : without_) = token;
    second_ = !second_;
    if (second_) return;
    first_with_ = !first_with_;  // what drifts cancels out
    trial_.Add(without_, with_);
    if (!trial_.decided()) {
      rest_ = kBetweenPairs;
      return;
    }
    // The longer one way has proved the better, the later it is put to the test again.
    const bool pays = trial_.pays();
    hold_ = pays == on_ ? std::min(2 * hold_, kLongestHold) : kFirstHold;
    on_ = pays;
    left_ = hold_;
    trying_ = false;
  }

  // Tokens. A try can make one a fifth slower, so the first answer has none at once, and a short
  // one few.
  static constexpr int kUntilFirst = 16, kFirstHold = 128, kLongestHold = 4096;
  static constexpr int kBetweenPairs = 4;

  bool on_ = false;
  int left_ = kUntilFirst;  // tokens until the next trial
  int hold_ = kFirstHold;
  WaitShare share_;

  bool trying_ = false;
  int rest_ = 0;            // tokens until the next pair; they go the way that seems better
  bool first_with_ = true;  // of the pair: the first token has guesses
  bool second_ = false;     // the pair's first token has been
  TokenCost with_, without_;
  GuessTrial trial_;
};

}  // namespace flashmoe
