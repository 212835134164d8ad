// The blocks of quantised GGUF tensors, byte for byte as files hold them (little-endian, packed:
// alignment 1). Each comment gives the value w of element i; f16 fields are bit patterns
// (tensor/half.h). "Nibbles" in a run of n elements: the low nibbles of n/2 bytes are elements
// 0..n/2-1, the high ones n/2..n-1. Code tables are in kernels/ref/decode_*.cc.
#pragma once

#include <bit>
#include <cstdint>

namespace flashmoe {

static_assert(std::endian::native == std::endian::little, "blocks are read in place");

#pragma pack(push, 1)

// --- 32 elements, one scale ---

struct BlockQ4_0 {  // w = d * (q - 8), q in nibbles
  uint16_t d;
  uint8_t qs[16];
};
struct BlockQ4_1 {  // w = d * q + m
  uint16_t d;
  uint16_t m;
  uint8_t qs[16];
};
struct BlockQ5_0 {  // w = d * (q - 16), bit 4 of q is bit i of qh
  uint16_t d;
  uint32_t qh;
  uint8_t qs[16];
};
struct BlockQ5_1 {  // w = d * q + m, q as Q5_0
  uint16_t d;
  uint16_t m;
  uint32_t qh;
  uint8_t qs[16];
};
struct BlockQ8_0 {  // w = d * q
  uint16_t d;
  int8_t qs[32];
};
struct BlockIQ4_NL {  // w = d * table[q], q in nibbles
  uint16_t d;
  uint8_t qs[16];
};
struct BlockMXFP4 {  // w = 2^(e - 127) * E2M1[q], q in nibbles
  uint8_t e;
  uint8_t qs[16];
};

// --- 64 and 128 elements ---

struct BlockNVFP4 {  // 4 runs of 16: w = UE4M3[d[run]] * E2M1[q], q in nibbles of the run's 8 bytes
  uint8_t d[4];
  uint8_t qs[32];
};
struct BlockQ1_0 {  // w = bit i of qs ? d : -d
  uint16_t d;
  uint8_t qs[16];
};
struct BlockQ2_0 {  // w = d * (q - 1), q = bits 2i, 2i+1 of qs
  uint16_t d;
  uint8_t qs[16];
};

// --- 256 elements in sub-blocks that have small integer scales ---

// 16 sub-blocks of 16: w = d * (s & 15) * q - dmin * (s >> 4). Element 128 n + 32 j + l has
// q = 2 bits of qs[32 n + l] from bit 2 j on.
struct BlockQ2_K {
  uint8_t scales[16];
  uint8_t qs[64];
  uint16_t d;
  uint16_t dmin;
};
// w = d * (s - 32) * (q - 4), q's low bits as in Q2_K, bit 2 is bit 4 n + j of hmask[l].
// Scale k of 16: low nibble in nibbles of scales[0..7], bits 4, 5 in scales[8 + k % 4] >> 2 (k /
// 4).
struct BlockQ3_K {
  uint8_t hmask[32];
  uint8_t qs[64];
  uint8_t scales[12];
  uint16_t d;
};
// 8 sub-blocks of 32: w = d * s * q - dmin * m. Sub-blocks 2 p and 2 p + 1 are the low and high
// nibbles of qs[32 p ..]. Six-bit s and m: sub-blocks j < 4 in the low bits of scales[j] and
// scales[j + 4]; j >= 4: nibbles of scales[j + 4] plus the top two bits of scales[j - 4],
// scales[j].
struct BlockQ4_K {
  uint16_t d;
  uint16_t dmin;
  uint8_t scales[12];
  uint8_t qs[128];
};
struct BlockQ5_K {  // as Q4_K; bit 4 of q is bit (sub-block) of qh[i % 32]
  uint16_t d;
  uint16_t dmin;
  uint8_t scales[12];
  uint8_t qh[32];
  uint8_t qs[128];
};
// 16 sub-blocks of 16: w = d * s * (q - 32). Element 128 n + 32 j + l: low nibble in
// ql[64 n + 32 (j % 2) + l] (low half for j < 2), bits 4, 5 in qh[32 n + l] >> 2 j.
struct BlockQ6_K {
  uint8_t ql[128];
  uint8_t qh[64];
  int8_t scales[16];
  uint16_t d;
};
// 8 sub-blocks of 32: w = d * (s - 32) * table[q], q in nibbles, table of IQ4_NL. s: nibble b of
// scales_l, bits 4, 5 in scales_h >> 2 b.
struct BlockIQ4_XS {
  uint16_t d;
  uint16_t scales_h;
  uint8_t scales_l[4];
  uint8_t qs[128];
};

// --- 256 elements from codebooks: runs of 8 (or 4) elements are a row of a grid, with signs ---

// Per 32: 8 bytes = four 8-bit grid rows, then u32: 4 x 7 signs, s in the top 4 bits.
// w = d * (0.5 + s) / 4 * sign * grid. The 8th sign makes the number of minus signs even.
struct BlockIQ2_XXS {
  uint16_t d;
  uint8_t qs[64];
};
// Per 8: u16 = 9-bit grid row, 7 signs; per 16 a nibble s of scales. w as IQ2_XXS.
struct BlockIQ2_XS {
  uint16_t d;
  uint16_t qs[32];
  uint8_t scales[8];
};
// Per 8: 8 + 2 bits (qh) of grid row, 8 signs; w as IQ2_XS.
struct BlockIQ2_S {
  uint16_t d;
  uint8_t qs[32];
  uint8_t signs[32];
  uint8_t qh[8];
  uint8_t scales[8];
};
// Per 4: 8-bit grid row; per 32: u32 as in IQ2_XXS. w = d * (0.5 + s) / 2 * sign * grid.
struct BlockIQ3_XXS {
  uint16_t d;
  uint8_t qs[64];
  uint32_t signs[8];
};
// Per 4: 8 + 1 bits (qh) of grid row, 4 signs; per 32 a nibble s. w = d * (1 + 2 s) * sign * grid.
struct BlockIQ3_S {
  uint16_t d;
  uint8_t qs[64];
  uint8_t qh[8];
  uint8_t signs[32];
  uint8_t scales[4];
};
// Per 8: 8 + 3 bits of ternary grid row; per 32 a u16 qh: 4 x 3 high bits, 3-bit s, sign of delta.
// w = d * (2 s + 1) * (grid +- 1/8).
struct BlockIQ1_S {
  uint16_t d;
  uint8_t qs[32];
  uint16_t qh[8];
};
// Per 8: 8 + 3 bits and a delta sign (nibbles of qh); per 16 a 3-bit s, four to a u16 of
// scales whose top nibbles make up the f16 d. w as IQ1_S.
struct BlockIQ1_M {
  uint8_t qs[32];
  uint8_t qh[16];
  uint16_t scales[4];
};

// --- 256 ternary elements: w = d * (t - 1), t in 0..2 ---

// A byte holds five base-3 digits t (a byte of qh: four), the first the most significant, as a
// fraction of 256. Runs of 32 and 16 bytes of qs and the 4 of qh each give all first digits, then
// all second ones, and so on.
struct BlockTQ1_0 {
  uint8_t qs[48];
  uint8_t qh[4];
  uint16_t d;
};
struct BlockTQ2_0 {  // element 128 n + 32 j + l: 2 bits of qs[32 n + l] from bit 2 j on
  uint8_t qs[64];
  uint16_t d;
};

#pragma pack(pop)

#define FM_BLOCK_SIZE(type, bytes) static_assert(sizeof(type) == bytes && alignof(type) == 1)
FM_BLOCK_SIZE(BlockQ4_0, 18);
FM_BLOCK_SIZE(BlockQ4_1, 20);
FM_BLOCK_SIZE(BlockQ5_0, 22);
FM_BLOCK_SIZE(BlockQ5_1, 24);
FM_BLOCK_SIZE(BlockQ8_0, 34);
FM_BLOCK_SIZE(BlockIQ4_NL, 18);
FM_BLOCK_SIZE(BlockMXFP4, 17);
FM_BLOCK_SIZE(BlockNVFP4, 36);
FM_BLOCK_SIZE(BlockQ1_0, 18);
FM_BLOCK_SIZE(BlockQ2_0, 18);
FM_BLOCK_SIZE(BlockQ2_K, 84);
FM_BLOCK_SIZE(BlockQ3_K, 110);
FM_BLOCK_SIZE(BlockQ4_K, 144);
FM_BLOCK_SIZE(BlockQ5_K, 176);
FM_BLOCK_SIZE(BlockQ6_K, 210);
FM_BLOCK_SIZE(BlockIQ4_XS, 136);
FM_BLOCK_SIZE(BlockIQ2_XXS, 66);
FM_BLOCK_SIZE(BlockIQ2_XS, 74);
FM_BLOCK_SIZE(BlockIQ2_S, 82);
FM_BLOCK_SIZE(BlockIQ3_XXS, 98);
FM_BLOCK_SIZE(BlockIQ3_S, 110);
FM_BLOCK_SIZE(BlockIQ1_S, 50);
FM_BLOCK_SIZE(BlockIQ1_M, 56);
FM_BLOCK_SIZE(BlockTQ1_0, 54);
FM_BLOCK_SIZE(BlockTQ2_0, 66);
#undef FM_BLOCK_SIZE

}  // namespace flashmoe
