// Which guesses are likely enough to be read. A wrong one has taken disk time from others and
// perhaps a slot; so a guess is read only if those of its kind, when not in memory already, have
// been right often enough lately. Every guess is judged, read or not: what is switched off can come
// back.
#pragma once

#include <array>

namespace flashmoe {

inline constexpr int kGuessKinds = 32;

class GuessJudge {
 public:
  GuessJudge() { right_.fill(kFirstRate); }

  // A guess of this kind, of an expert that was not in memory, was right or not.
  void Note(int kind, bool right) {
    float& rate = right_[static_cast<size_t>(kind)];
    rate += ((right ? 1.0f : 0.0f) - rate) * kStep;
  }

  bool Pays(int kind) const { return right_[static_cast<size_t>(kind)] >= kLeastRate; }

 private:
  // A right guess saves at most the time that a wrong one costs: its read.
  static constexpr float kLeastRate = 0.5f;
  static constexpr float kFirstRate = 0.6f;     // believed at first, not for long
  static constexpr float kStep = 1.0f / 64.0f;  // remembers about as many guesses

  std::array<float, kGuessKinds> right_;
};

}  // namespace flashmoe
