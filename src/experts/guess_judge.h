// Which guesses are likely enough to be read. A wrong one has taken disk time from others and
// perhaps a slot; so a guess is read only if those of its kind, when not in memory already, have
// been right often enough lately. Every guess is judged, read or not: what is switched off can come
// back.
#pragma once

#include <algorithm>
#include <array>

namespace flashmoe {

inline constexpr int kGuessKinds = 32;

class GuessJudge {
 public:
  // A guess of this kind, of an expert that was not in memory, was right or not.
  void Note(int kind, bool right) {
    Rate& rate = rates_[static_cast<size_t>(kind)];
    rate.right += ((right ? 1.0f : 0.0f) - rate.right) / rate.weight;
    rate.weight = std::min(rate.weight + 1.0f, kRemembered);
  }

  // sure: what is believed of a kind that nothing is known of.
  bool Pays(int kind, bool sure = false) const {
    const Rate& rate = rates_[static_cast<size_t>(kind)];
    return rate.weight == kFirstWeight ? sure : rate.right >= kLeastRate;
  }

 private:
  // A right guess saves at most the time that a wrong one costs: its read.
  static constexpr float kLeastRate = 0.5f;
  static constexpr float kRemembered = 64.0f;  // guesses

  // Two right ones in a row are believed, not one: most kinds are mostly wrong.
  static constexpr float kFirstWeight = 4.0f;
  struct Rate {
    float right = 0.25f;
    float weight = kFirstWeight;
  };
  std::array<Rate, kGuessKinds> rates_;
};

}  // namespace flashmoe
