// Keys and values on their way into the cache.
#pragma once

#include "kernels/simd/elementwise.h"
#include "kernels/simd/quantize.h"

namespace flashmoe::FM_ISA {

static inline void StoreKv(const float* x, int64_t n, KvType type, std::byte* out) {
  if (type == KvType::kF32) {
    __builtin_memcpy(out, x, static_cast<size_t>(n) * sizeof(float));
    return;
  }
  if (type == KvType::kQ8) {
    for (int64_t b = 0; b < n / kKvBlock; ++b) {
      int8_t q[kKvBlock];
      float scale;
      int16_t sums[2];
      QuantizeQ8(x + b * kKvBlock, 1, kKvBlock, q, &scale, sums);
      std::byte* block = out + b * kKvBlockBytes;
      __builtin_memcpy(block, &scale, sizeof(scale));
      __builtin_memcpy(block + sizeof(scale), q, sizeof(q));
    }
    return;
  }
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) StoreF16(out + 2 * i, Load(x + i));
  if (i < n) {
    uint16_t rest[kLanes];
    StoreF16(rest, LoadPart(x + i, n - i));
    __builtin_memcpy(out + 2 * i, rest, static_cast<size_t>(n - i) * sizeof(uint16_t));
  }
}

}  // namespace flashmoe::FM_ISA
