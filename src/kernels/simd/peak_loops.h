// The loops of peak.h: chains that do not wait for each other, more of them than an instruction
// takes cycles, for two units. Compiled once per instruction set, with names of its registers,
// their size and the product of bytes.
#pragma once

#include <cstdint>

#include "kernels/simd/functions.h"

#define FM_CHAIN(instruction, sum) \
  instruction " %%" FM_REGISTER "0, %%" FM_REGISTER "0, %%" FM_REGISTER #sum "\n\t"
#define FM_TWELVE_CHAINS(instruction)                                                             \
  asm volatile(FM_CHAIN(instruction, 1) FM_CHAIN(instruction, 2) FM_CHAIN(instruction, 3)         \
                   FM_CHAIN(instruction, 4) FM_CHAIN(instruction, 5) FM_CHAIN(instruction, 6)     \
                       FM_CHAIN(instruction, 7) FM_CHAIN(instruction, 8) FM_CHAIN(instruction, 9) \
                           FM_CHAIN(instruction, 10) FM_CHAIN(instruction, 11)                    \
                               FM_CHAIN(instruction, 12)                                          \
               :                                                                                  \
               :                                                                                  \
               : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",  \
                 "xmm10", "xmm11", "xmm12")

namespace flashmoe::FM_ISA {

constexpr int64_t kChains = 12, kRegisterBytes = FM_REGISTER_BYTES;

int64_t MultiplyIntegers(int64_t rounds) {
  for (int64_t i = 0; i < rounds; ++i) FM_TWELVE_CHAINS(FM_INTEGER_PRODUCT);
  return rounds * kChains * kRegisterBytes;
}

int64_t MultiplyFloats(int64_t rounds) {
  // Zeros: what the registers hold might be slow to multiply.
  asm volatile("vzeroall"
               :
               :
               : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                 "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
  for (int64_t i = 0; i < rounds; ++i) FM_TWELVE_CHAINS("vfmadd231ps");
  return rounds * kChains * kRegisterBytes / 4;
}

}  // namespace flashmoe::FM_ISA
