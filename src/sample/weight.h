// The numbers behind a draw, computed with additions, multiplications and bit operations alone, so
// that every machine gets the same bits. A C library chooses its exp() by the CPU's features.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace flashmoe {

// Below this, a token's share of the best token's weight (1e-26) is lost in the sum of all weights.
inline constexpr double kExponentMin = -60;

inline constexpr std::array<double, 14> kInverseFactorials = [] {
  std::array<double, 14> values{1};
  double factorial = 1;  // exact: 13! has 33 bits
  for (size_t n = 1; n < values.size(); ++n) {
    factorial *= static_cast<double>(n);
    values[n] = 1 / factorial;
  }
  return values;
}();

// e^x to about 1e-15 relative error, 0 below kExponentMin. REQUIRES: x <= 0 and not NaN.
inline double ExpNonPositive(double x) {
  if (x < kExponentMin) return 0;
  // x = k ln 2 + r with |r| <= ln 2 / 2; adding 1.5 * 2^52 rounds to an integer. ln 2 comes
  // in two parts, the first so short that its product with k is exact.
  constexpr double kRound = 0x1.8p52;
  const double k = (x * 0x1.71547652b82fep0 + kRound) - kRound;
  const double r = (x - k * 0x1.62e42feep-1) - k * 0x1.a39ef35793c76p-33;
  // The Taylor series up to r^13 / 13!, whose remainder is below 2^-56.
  double sum = kInverseFactorials[13];
  for (size_t n = 13; n-- > 0;) sum = sum * r + kInverseFactorials[n];
  const auto exponent = static_cast<uint64_t>(static_cast<int64_t>(k) + 1023);
  return sum * std::bit_cast<double>(exponent << 52);
}

// splitmix64: the next 64 random bits.
inline uint64_t NextRandom(uint64_t& state) {
  state += 0x9e3779b97f4a7c15;
  uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// Uniform in [0, 1): multiples of 2^-53.
inline double NextUniform(uint64_t& state) {
  return static_cast<double>(NextRandom(state) >> 11) * 0x1p-53;
}

}  // namespace flashmoe
