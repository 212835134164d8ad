// Types with one scale per block, and four-bit types with a table of values.
#include "kernels/ref/codebooks.h"
#include "kernels/ref/decode.h"
#include "tensor/blocks.h"
#include "tensor/half.h"

namespace flashmoe::ref {
namespace {

// Nibbles of n bytes to 2 n floats: low ones first, then the high ones.
template <typename Convert>
void ForEachNibble(const uint8_t* qs, int n, float* out, Convert convert) {
  for (int i = 0; i < n; ++i) {
    out[i] = convert(qs[i] & 15, i);
    out[i + n] = convert(qs[i] >> 4, i + n);
  }
}

int FifthBit(uint32_t qh, int i) { return static_cast<int>(qh >> i & 1) << 4; }

// 2^(e - 128): half of the scale, for the doubled table. Exact also where it is subnormal.
float HalfE8M0(uint8_t e) {
  return FloatFromBits(e < 2 ? 0x00200000u << e : static_cast<uint32_t>(e - 1) << 23);
}

// Half of an unsigned float of 4 bits exponent (bias 7) and 3 bits mantissa; 0x7f stands for NaN,
// which ggml reads as zero.
float HalfUE4M3(uint8_t bits) {
  if (bits == 0x7f) return 0.0f;
  const int exponent = bits >> 3 & 15;
  const float mantissa = static_cast<float>(bits & 7);
  if (exponent == 0) return mantissa * 0x1p-10f;
  return (8.0f + mantissa) * FloatFromBits(static_cast<uint32_t>(exponent - 11 + 127) << 23);
}

}  // namespace

void DecodeQ4_0(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockQ4_0, 32>(data, blocks, out, [](const BlockQ4_0& b, float* y) {
    const float d = F16ToF32(b.d);
    ForEachNibble(b.qs, 16, y, [d](int q, int) { return d * static_cast<float>(q - 8); });
  });
}

void DecodeQ4_1(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockQ4_1, 32>(data, blocks, out, [](const BlockQ4_1& b, float* y) {
    const float d = F16ToF32(b.d);
    const float m = F16ToF32(b.m);
    ForEachNibble(b.qs, 16, y, [d, m](int q, int) { return d * static_cast<float>(q) + m; });
  });
}

void DecodeQ5_0(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockQ5_0, 32>(data, blocks, out, [](const BlockQ5_0& b, float* y) {
    const float d = F16ToF32(b.d);
    const uint32_t qh = b.qh;
    ForEachNibble(b.qs, 16, y, [d, qh](int q, int i) {
      return d * static_cast<float>((q | FifthBit(qh, i)) - 16);
    });
  });
}

void DecodeQ5_1(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockQ5_1, 32>(data, blocks, out, [](const BlockQ5_1& b, float* y) {
    const float d = F16ToF32(b.d);
    const float m = F16ToF32(b.m);
    const uint32_t qh = b.qh;
    ForEachNibble(b.qs, 16, y, [d, m, qh](int q, int i) {
      return d * static_cast<float>(q | FifthBit(qh, i)) + m;
    });
  });
}

void DecodeQ8_0(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockQ8_0, 32>(data, blocks, out, [](const BlockQ8_0& b, float* y) {
    const float d = F16ToF32(b.d);
    for (int i = 0; i < 32; ++i) y[i] = d * static_cast<float>(b.qs[i]);
  });
}

void DecodeQ1_0(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockQ1_0, 128>(data, blocks, out, [](const BlockQ1_0& b, float* y) {
    const float d = F16ToF32(b.d);
    for (int i = 0; i < 128; ++i) y[i] = (b.qs[i / 8] >> (i % 8) & 1) != 0 ? d : -d;
  });
}

void DecodeQ2_0(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockQ2_0, 64>(data, blocks, out, [](const BlockQ2_0& b, float* y) {
    const float d = F16ToF32(b.d);
    for (int i = 0; i < 64; ++i) {
      y[i] = d * static_cast<float>((b.qs[i / 4] >> 2 * (i % 4) & 3) - 1);
    }
  });
}

void DecodeIQ4_NL(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockIQ4_NL, 32>(data, blocks, out, [](const BlockIQ4_NL& b, float* y) {
    const float d = F16ToF32(b.d);
    ForEachNibble(b.qs, 16, y, [d](int q, int) { return d * kIq4Values[q]; });
  });
}

void DecodeIQ4_XS(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockIQ4_XS, 256>(data, blocks, out, [](const BlockIQ4_XS& b, float* y) {
    const float d = F16ToF32(b.d);
    for (int sub = 0; sub < 8; ++sub) {
      const int low = b.scales_l[sub / 2] >> 4 * (sub % 2) & 15;
      const int high = b.scales_h >> 2 * sub & 3;
      const float dl = d * static_cast<float>((low | high << 4) - 32);
      ForEachNibble(b.qs + 16 * sub, 16, y + 32 * sub,
                    [dl](int q, int) { return dl * kIq4Values[q]; });
    }
  });
}

void DecodeMXFP4(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockMXFP4, 32>(data, blocks, out, [](const BlockMXFP4& b, float* y) {
    const float d = HalfE8M0(b.e);
    ForEachNibble(b.qs, 16, y, [d](int q, int) { return d * kE2M1DoubledValues[q]; });
  });
}

void DecodeNVFP4(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockNVFP4, 64>(data, blocks, out, [](const BlockNVFP4& b, float* y) {
    for (int run = 0; run < 4; ++run) {
      const float d = HalfUE4M3(b.d[run]);
      ForEachNibble(b.qs + 8 * run, 8, y + 16 * run,
                    [d](int q, int) { return d * kE2M1DoubledValues[q]; });
    }
  });
}

}  // namespace flashmoe::ref
