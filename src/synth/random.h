// Numbers that look random, fast enough to fill a file at the disk's speed (SplitMix64: Steele,
// Lea and Flood 2014, "Fast splittable pseudorandom number generators").
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numbers>
#include <span>

namespace flashmoe {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  // The `index`-th of many independent sequences of one seed.
  Random(uint64_t seed, uint64_t index) : state_(Mix(seed ^ Mix(index + 1))) {}

  uint64_t Next() { return Mix(state_ += 0x9e3779b97f4a7c15); }

  double Uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(Next() >> 11) * 0x1p-53;
  }
  // Of mean 0 and variance 1 (Box and Muller).
  double Normal() {
    const double radius = std::sqrt(-2.0 * std::log(Uniform(0x1p-53, 1.0)));
    return radius * std::cos(2.0 * std::numbers::pi * Uniform(0.0, 1.0));
  }
  void Fill(std::span<std::byte> out) {
    for (size_t i = 0; i < out.size(); i += 8) {
      const uint64_t word = Next();
      std::memcpy(out.data() + i, &word, std::min<size_t>(8, out.size() - i));
    }
  }

 private:
  static uint64_t Mix(uint64_t z) {
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }

  uint64_t state_;
};

}  // namespace flashmoe
