// The loops of peak.h.
#include <cstdint>

#include "kernels/simd/functions.h"

namespace flashmoe::avx2 {

constexpr int64_t kChains = 12;  // more than an instruction takes cycles, for two units

int64_t MultiplyIntegers(int64_t rounds) {
  for (int64_t i = 0; i < rounds; ++i) {
    asm volatile(
        "vpmaddubsw %%ymm0, %%ymm0, %%ymm1\n\t"
        "vpmaddubsw %%ymm0, %%ymm0, %%ymm2\n\t"
        "vpmaddubsw %%ymm0, %%ymm0, %%ymm3\n\t"
        "vpmaddubsw %%ymm0, %%ymm0, %%ymm4\n\t"
        "vpmaddubsw %%ymm0, %%ymm0, %%ymm5\n\t"
        "vpmaddubsw %%ymm0, %%ymm0, %%ymm6\n\t"
        "vpmaddubsw %%ymm0, %%ymm0, %%ymm7\n\t"
        "vpmaddubsw %%ymm0, %%ymm0, %%ymm8\n\t"
        "vpmaddubsw %%ymm0, %%ymm0, %%ymm9\n\t"
        "vpmaddubsw %%ymm0, %%ymm0, %%ymm10\n\t"
        "vpmaddubsw %%ymm0, %%ymm0, %%ymm11\n\t"
        "vpmaddubsw %%ymm0, %%ymm0, %%ymm12\n\t"
        :
        :
        : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
          "xmm11", "xmm12");
  }
  return rounds * kChains * 32;
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
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm1\n\t"
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm2\n\t"
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm3\n\t"
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm4\n\t"
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm5\n\t"
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm6\n\t"
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm7\n\t"
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm8\n\t"
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm9\n\t"
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm10\n\t"
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm11\n\t"
        "vfmadd231ps %%ymm0, %%ymm0, %%ymm12\n\t"
        :
        :
        : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
          "xmm11", "xmm12");
  }
  return rounds * kChains * 8;
}

}  // namespace flashmoe::avx2
