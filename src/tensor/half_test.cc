#include "tensor/half.h"

#include <gtest/gtest.h>

#include <cmath>

namespace flashmoe {
namespace {

// What a bit pattern means, by the definition of the format.
double ValueOf(uint16_t half, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = half >> mantissa_bits & ((1 << exponent_bits) - 1);
  const int mantissa = half & ((1 << mantissa_bits) - 1);
  const double sign = (half & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == (1 << exponent_bits) - 1) return mantissa != 0 ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
}

struct Format {
  const char* name;
  int exponent_bits;
  int mantissa_bits;
  float (*widen)(uint16_t);
  uint16_t (*narrow)(float);
};

class HalfTest : public ::testing::TestWithParam<Format> {};

TEST_P(HalfTest, EveryPatternWidensExactlyAndComesBack) {
  const Format& format = GetParam();
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const uint16_t half = static_cast<uint16_t>(bits);
    const double want = ValueOf(half, format.exponent_bits, format.mantissa_bits);
    const float got = format.widen(half);
    if (std::isnan(want)) {
      ASSERT_TRUE(std::isnan(got)) << bits;
      ASSERT_TRUE(std::isnan(format.widen(format.narrow(got)))) << bits;
      ASSERT_EQ(std::signbit(got), (half & 0x8000) != 0);
      continue;
    }
    ASSERT_EQ(static_cast<double>(got), want) << bits;
    ASSERT_EQ(format.narrow(got), half);
  }
}

// Between neighbours: what is below the middle goes down, above it up, the middle to even.
TEST_P(HalfTest, RoundsToNearestEven) {
  const Format& format = GetParam();
  const uint32_t infinity = ((1u << format.exponent_bits) - 1) << format.mantissa_bits;
  for (uint32_t bits = 0; bits + 1 < infinity; ++bits) {
    const uint16_t low = static_cast<uint16_t>(bits), high = static_cast<uint16_t>(bits + 1);
    const double middle = (static_cast<double>(format.widen(low)) + format.widen(high)) / 2;
    const float tie = static_cast<float>(middle);
    ASSERT_EQ(static_cast<double>(tie), middle);
    const uint16_t even = (bits & 1) == 0 ? low : high;
    ASSERT_EQ(format.narrow(tie), even) << bits;
    ASSERT_EQ(format.narrow(-tie), even | 0x8000) << bits;
    ASSERT_EQ(format.narrow(std::nextafter(tie, 0.0f)), low) << bits;
    ASSERT_EQ(format.narrow(std::nextafter(tie, INFINITY)), high) << bits;
  }
}

TEST_P(HalfTest, OverflowsToInfinity) {
  const Format& format = GetParam();
  const uint16_t infinity =
      static_cast<uint16_t>(((1 << format.exponent_bits) - 1) << format.mantissa_bits);
  EXPECT_EQ(format.narrow(3.4028234e38f), infinity);
  EXPECT_EQ(format.narrow(-INFINITY), infinity | 0x8000);
  EXPECT_EQ(format.narrow(1e-45f), 0);
  EXPECT_EQ(format.narrow(-1e-45f), 0x8000);
}

INSTANTIATE_TEST_SUITE_P(Formats, HalfTest,
                         ::testing::Values(Format{"f16", 5, 10, F16ToF32, F32ToF16},
                                           Format{"bf16", 8, 7, Bf16ToF32, F32ToBf16}),
                         [](const auto& instance) { return instance.param.name; });

TEST(F16Test, LargestFiniteValue) {
  EXPECT_EQ(F32ToF16(65504.0f), 0x7bff);
  EXPECT_EQ(F32ToF16(65519.996f), 0x7bff);
  EXPECT_EQ(F32ToF16(65520.0f), 0x7c00);
}

}  // namespace
}  // namespace flashmoe
