// The loops of peak.h.
#include <cstdint>

#include "kernels/simd/functions.h"

namespace flashmoe::avx512 {

constexpr int64_t kChains = 12;  // more than an instruction takes cycles, for two units

int64_t MultiplyIntegers(int64_t rounds) {
  for (int64_t i = 0; i < rounds; ++i) {
    asm volatile(
        "vpdpbusd %%zmm0, %%zmm0, %%zmm1\n\t"
        "vpdpbusd %%zmm0, %%zmm0, %%zmm2\n\t"
        "vpdpbusd %%zmm0, %%zmm0, %%zmm3\n\t"
        "vpdpbusd %%zmm0, %%zmm0, %%zmm4\n\t"
        "vpdpbusd %%zmm0, %%zmm0, %%zmm5\n\t"
        "vpdpbusd %%zmm0, %%zmm0, %%zmm6\n\t"
        "vpdpbusd %%zmm0, %%zmm0, %%zmm7\n\t"
        "vpdpbusd %%zmm0, %%zmm0, %%zmm8\n\t"
        "vpdpbusd %%zmm0, %%zmm0, %%zmm9\n\t"
        "vpdpbusd %%zmm0, %%zmm0, %%zmm10\n\t"
        "vpdpbusd %%zmm0, %%zmm0, %%zmm11\n\t"
        "vpdpbusd %%zmm0, %%zmm0, %%zmm12\n\t"
        :
        :
        : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
          "xmm11", "xmm12");
  }
  return rounds * kChains * 64;
}

int64_t MultiplyFloats(int64_t rounds) {
  // Zeros: what the registers hold might be slow to multiply.
  asm volatile("vzeroall"
               :
               :
               : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                 "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
  for (int64_t i = 0; i < rounds; ++i) {
    asm volatile(
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm1\n\t"
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm2\n\t"
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm3\n\t"
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm4\n\t"
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm5\n\t"
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm6\n\t"
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm7\n\t"
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm8\n\t"
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm9\n\t"
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm10\n\t"
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm11\n\t"
        "vfmadd231ps %%zmm0, %%zmm0, %%zmm12\n\t"
        :
        :
        : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
          "xmm11", "xmm12");
  }
  return rounds * kChains * 16;
}

}  // namespace flashmoe::avx512
