// Types whose runs of 8 (or 4) elements are rows of a codebook.
#include <bit>
#include <cstring>

#include "kernels/ref/decode.h"
#include "kernels/ref/iq_grids.h"
#include "tensor/blocks.h"
#include "tensor/half.h"

namespace flashmoe::ref {
namespace {

// Seven signs are stored; the eighth makes the number of minus signs even.
uint32_t EightSigns(uint32_t seven) {
  return seven | (static_cast<uint32_t>(std::popcount(seven)) & 1) << 7;
}

float Signed(float value, uint32_t signs, int i) { return (signs >> i & 1) != 0 ? -value : value; }

void PutRow2(uint16_t row, uint32_t signs, float scale, float* y) {
  for (int i = 0; i < 8; ++i) y[i] = Signed(scale * Iq2Value(row, i), signs, i);
}

void PutRow3(uint16_t row, const float (&values)[8], uint32_t signs, float scale, float* y) {
  for (int i = 0; i < 4; ++i) y[i] = Signed(scale * values[row >> 3 * i & 7], signs, i);
}

void PutRow1(int row, float delta, float scale, float* y) {
  for (int i = 0; i < 8; ++i) y[i] = scale * (Iq1Value(kIq1Grid[row], i) + delta);
}

float Iq2Scale(float d, uint32_t s) { return d * (0.5f + static_cast<float>(s)) * 0.25f; }

float Iq1Scale(float d, int s) { return d * static_cast<float>(2 * (s & 7) + 1); }

}  // namespace

void DecodeIQ2_XXS(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockIQ2_XXS, 256>(data, blocks, out, [](const BlockIQ2_XXS& b, float* y) {
    const float d = F16ToF32(b.d);
    for (int sub = 0; sub < 8; ++sub) {
      uint32_t signs_scale;
      std::memcpy(&signs_scale, b.qs + 8 * sub + 4, sizeof(signs_scale));
      const float scale = Iq2Scale(d, signs_scale >> 28);
      for (int l = 0; l < 4; ++l) {
        const uint32_t signs = EightSigns(signs_scale >> 7 * l & 127);
        PutRow2(kIq2XxsGrid[b.qs[8 * sub + l]], signs, scale, y + 32 * sub + 8 * l);
      }
    }
  });
}

void DecodeIQ2_XS(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockIQ2_XS, 256>(data, blocks, out, [](const BlockIQ2_XS& b, float* y) {
    const float d = F16ToF32(b.d);
    for (int run = 0; run < 32; ++run) {
      const float scale = Iq2Scale(d, b.scales[run / 4] >> 4 * (run / 2 % 2) & 15);
      const uint32_t q = b.qs[run];
      PutRow2(kIq2XsGrid[q & 511], EightSigns(q >> 9), scale, y + 8 * run);
    }
  });
}

void DecodeIQ2_S(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockIQ2_S, 256>(data, blocks, out, [](const BlockIQ2_S& b, float* y) {
    const float d = F16ToF32(b.d);
    for (int run = 0; run < 32; ++run) {
      const float scale = Iq2Scale(d, b.scales[run / 4] >> 4 * (run / 2 % 2) & 15);
      const int high = b.qh[run / 4] >> 2 * (run % 4) & 3;
      PutRow2(kIq2SGrid[b.qs[run] | high << 8], b.signs[run], scale, y + 8 * run);
    }
  });
}

void DecodeIQ3_XXS(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockIQ3_XXS, 256>(data, blocks, out, [](const BlockIQ3_XXS& b, float* y) {
    const float d = F16ToF32(b.d);
    for (int run = 0; run < 64; ++run) {
      const uint32_t signs_scale = b.signs[run / 8];
      const float scale = d * (0.5f + static_cast<float>(signs_scale >> 28)) * 0.5f;
      const uint32_t signs = EightSigns(signs_scale >> 7 * (run / 2 % 4) & 127);
      PutRow3(kIq3XxsGrid[b.qs[run]], kIq3XxsValues, signs >> 4 * (run % 2), scale, y + 4 * run);
    }
  });
}

void DecodeIQ3_S(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockIQ3_S, 256>(data, blocks, out, [](const BlockIQ3_S& b, float* y) {
    const float d = F16ToF32(b.d);
    for (int run = 0; run < 64; ++run) {
      const int s = b.scales[run / 16] >> 4 * (run / 8 % 2) & 15;
      const float scale = d * static_cast<float>(1 + 2 * s);
      const int high = b.qh[run / 8] >> run % 8 & 1;
      const uint32_t signs = b.signs[run / 2] >> 4 * (run % 2);
      PutRow3(kIq3SGrid[b.qs[run] | high << 8], kIq3SValues, signs, scale, y + 4 * run);
    }
  });
}

void DecodeIQ1_S(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockIQ1_S, 256>(data, blocks, out, [](const BlockIQ1_S& b, float* y) {
    const float d = F16ToF32(b.d);
    for (int run = 0; run < 32; ++run) {
      const int qh = b.qh[run / 4];
      const float delta = (qh & 0x8000) != 0 ? -0.125f : 0.125f;
      const int row = b.qs[run] | (qh >> 3 * (run % 4) & 7) << 8;
      PutRow1(row, delta, Iq1Scale(d, qh >> 12), y + 8 * run);
    }
  });
}

void DecodeIQ1_M(const std::byte* data, int64_t blocks, float* out) {
  ForEachBlock<BlockIQ1_M, 256>(data, blocks, out, [](const BlockIQ1_M& b, float* y) {
    int half = 0;
    for (int i = 0; i < 4; ++i) half |= (b.scales[i] >> 12) << 4 * i;
    const float d = F16ToF32(static_cast<uint16_t>(half));
    for (int run = 0; run < 32; ++run) {
      const int qh = b.qh[run / 2] >> 4 * (run % 2);
      const float delta = (qh & 8) != 0 ? -0.125f : 0.125f;
      const float scale = Iq1Scale(d, b.scales[run / 8] >> 3 * (run / 2 % 4));
      PutRow1(b.qs[run] | (qh & 7) << 8, delta, scale, y + 8 * run);
    }
  });
}

}  // namespace flashmoe::ref
