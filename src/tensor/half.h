// Half-precision floats as bit patterns: binary16 ("f16") and bfloat16 ("bf16").
//
// Exact one way, rounded to nearest even the other; infinities stay, NaNs stay NaN (and become
// quiet, as the hardware's conversions make them). `static` on purpose: a copy that was compiled
// for one instruction set must not be linked into code that runs on every CPU.
#pragma once

#include <cstdint>

namespace flashmoe {

static inline float FloatFromBits(uint32_t bits) { return __builtin_bit_cast(float, bits); }
static inline uint32_t BitsFromFloat(float value) { return __builtin_bit_cast(uint32_t, value); }

static inline float F16ToF32(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = (half >> 10) & 0x1f;
  const uint32_t mantissa = half & 0x3ff;
  if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return FloatFromBits(sign | BitsFromFloat(magnitude));
  }
  if (exponent == 0x1f) {
    const uint32_t quiet = mantissa != 0 ? 0x400000u : 0u;
    return FloatFromBits(sign | 0x7f800000u | quiet | mantissa << 13);
  }
  return FloatFromBits(sign | (exponent + 127 - 15) << 23 | mantissa << 13);
}

static inline uint16_t F32ToF16(float value) {
  const uint32_t bits = BitsFromFloat(value);
  const uint32_t sign = bits >> 16 & 0x8000;
  const uint32_t magnitude = bits & 0x7fffffff;
  uint32_t half = 0;
  if (magnitude > 0x7f800000) {  // NaN
    half = 0x7e00 | (magnitude >> 13 & 0x3ff);
  } else if (magnitude >= 0x477ff000) {  // from 65520 on, all rounds to infinity
    half = 0x7c00;
  } else if (magnitude < 0x38800000) {  // below 2^-14: 0.5 has an ulp of 2^-24, so adding it rounds
    half = BitsFromFloat(FloatFromBits(magnitude) + 0.5f) - BitsFromFloat(0.5f);
  } else {
    const uint32_t to_even = 0xfff + (magnitude >> 13 & 1);
    half = (magnitude + to_even - ((127u - 15u) << 23)) >> 13;
  }
  return static_cast<uint16_t>(sign | half);
}

static inline float Bf16ToF32(uint16_t half) {
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  const bool nan = (bits & 0x7fffffff) > 0x7f800000;
  return FloatFromBits(nan ? bits | 0x400000 : bits);
}

static inline uint16_t F32ToBf16(float value) {
  const uint32_t bits = BitsFromFloat(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>(bits >> 16 | 0x40);
  const uint32_t to_even = 0x7fff + (bits >> 16 & 1);
  return static_cast<uint16_t>((bits + to_even) >> 16);
}

}  // namespace flashmoe
