// Super-blocks of 256 with small integer scales, and the ternary types.
#include "kernels/ref/decode.h"
#include "tensor/blocks.h"
#include "tensor/half.h"

namespace flashmoe::ref {
namespace {

struct ScaleMin {
  int scale;
  int min;
};

// Scale and minimum of sub-block j of Q4_K and Q5_K, six bits each.
ScaleMin UnpackScaleMin(const uint8_t* s, int j) {
  if (j < 4) return {s[j] & 63, s[j + 4] & 63};
  return {(s[j + 4] & 15) | (s[j - 4] >> 6) << 4, (s[j + 4] >> 4) | (s[j] >> 6) << 4};
}

int ScaleOfQ3_K(const uint8_t* s, int k) {
  const int low = k < 8 ? s[k] & 15 : s[k - 8] >> 4;
  const int high = s[8 + k % 4] >> 2 * (k / 4) & 3;
  return (low | high << 4) - 32;
}

// Base-3 digit n (most significant first) of a byte that holds five of them as a fraction of 256.
int TernaryDigit(uint8_t byte, int n) {
  constexpr int kPowers[5] = {1, 3, 9, 27, 81};
  return (byte * kPowers[n] & 255) * 3 >> 8;
}

// `digits` digits of each of `n` bytes: digit-major.
float* DecodeTernary(const uint8_t* bytes, int n, int digits, float d, float* y) {
  for (int digit = 0; digit < digits; ++digit) {
    for (int i = 0; i < n; ++i) *y++ = d * static_cast<float>(TernaryDigit(bytes[i], digit) - 1);
  }
  return y;
}

}  // namespace

void DecodeQ2_K(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockQ2_K, 256>(data, blocks, out, [](const BlockQ2_K& b, float* y) {
    const float d = F16ToF32(b.d);
    const float dmin = F16ToF32(b.dmin);
    for (int i = 0; i < 256; ++i) {
      const int n = i / 128, j = i % 128 / 32, l = i % 32;
      const int q = b.qs[32 * n + l] >> 2 * j & 3;
      const int s = b.scales[i / 16];
      y[i] = d * static_cast<float>(s & 15) * static_cast<float>(q) -
             dmin * static_cast<float>(s >> 4);
    }
  });
}

void DecodeQ3_K(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockQ3_K, 256>(data, blocks, out, [](const BlockQ3_K& b, float* y) {
    const float d = F16ToF32(b.d);
    for (int i = 0; i < 256; ++i) {
      const int n = i / 128, j = i % 128 / 32, l = i % 32;
      const int low = b.qs[32 * n + l] >> 2 * j & 3;
      const int high = b.hmask[l] >> (4 * n + j) & 1;
      const float dl = d * static_cast<float>(ScaleOfQ3_K(b.scales, i / 16));
      y[i] = dl * static_cast<float>((low | high << 2) - 4);
    }
  });
}

void DecodeQ4_K(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockQ4_K, 256>(data, blocks, out, [](const BlockQ4_K& b, float* y) {
    const float d = F16ToF32(b.d);
    const float dmin = F16ToF32(b.dmin);
    for (int sub = 0; sub < 8; ++sub) {
      const ScaleMin s = UnpackScaleMin(b.scales, sub);
      const float scale = d * static_cast<float>(s.scale);
      const float min = dmin * static_cast<float>(s.min);
      for (int l = 0; l < 32; ++l) {
        const int q = b.qs[32 * (sub / 2) + l] >> 4 * (sub % 2) & 15;
        y[32 * sub + l] = scale * static_cast<float>(q) - min;
      }
    }
  });
}

void DecodeQ5_K(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockQ5_K, 256>(data, blocks, out, [](const BlockQ5_K& b, float* y) {
    const float d = F16ToF32(b.d);
    const float dmin = F16ToF32(b.dmin);
    for (int sub = 0; sub < 8; ++sub) {
      const ScaleMin s = UnpackScaleMin(b.scales, sub);
      const float scale = d * static_cast<float>(s.scale);
      const float min = dmin * static_cast<float>(s.min);
      for (int l = 0; l < 32; ++l) {
        const int low = b.qs[32 * (sub / 2) + l] >> 4 * (sub % 2) & 15;
        const int high = b.qh[l] >> sub & 1;
        y[32 * sub + l] = scale * static_cast<float>(low | high << 4) - min;
      }
    }
  });
}

void DecodeQ6_K(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockQ6_K, 256>(data, blocks, out, [](const BlockQ6_K& b, float* y) {
    const float d = F16ToF32(b.d);
    for (int i = 0; i < 256; ++i) {
      const int n = i / 128, j = i % 128 / 32, l = i % 32;
      const int low = b.ql[64 * n + 32 * (j % 2) + l] >> 4 * (j / 2) & 15;
      const int high = b.qh[32 * n + l] >> 2 * j & 3;
      const float dl = d * static_cast<float>(b.scales[i / 16]);
      y[i] = dl * static_cast<float>((low | high << 4) - 32);
    }
  });
}

void DecodeTQ1_0(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockTQ1_0, 256>(data, blocks, out, [](const BlockTQ1_0& b, float* y) {
    const float d = F16ToF32(b.d);
    y = DecodeTernary(b.qs, 32, 5, d, y);
    y = DecodeTernary(b.qs + 32, 16, 5, d, y);
    DecodeTernary(b.qh, 4, 4, d, y);
  });
}

void DecodeTQ2_0(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockTQ2_0, 256>(data, blocks, out, [](const BlockTQ2_0& b, float* y) {
    const float d = F16ToF32(b.d);
    for (int i = 0; i < 256; ++i) {
      const int n = i / 128, j = i % 128 / 32, l = i % 32;
      y[i] = d * static_cast<float>((b.qs[32 * n + l] >> 2 * j & 3) - 1);
    }
  });
}

}  // namespace flashmoe::ref
