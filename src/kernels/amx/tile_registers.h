// The tile registers: eight of them, of at most 16 rows of 64 bytes. Their shapes are state of the
// thread, so a product sets them when it begins and releases them when it ends; released, they cost
// a context switch nothing. Assembly and no intrinsics: those of g++ 12 hide from the compiler what
// memory they read.
#pragma once

#include <cstdint>

namespace flashmoe::amx {

// Registers 0 and 1 hold 16 x 16 sums, 2 and 3 activations (16 columns), 4 to 7 weights (16 rows).
constexpr int kSums = 0, kInputs = 2, kWeights = 4;

struct TileShapes {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

// For products over `depth` elements, 64 at most.
static inline void SetTileShapes(int depth) {
  TileShapes shapes;
  for (int i = 0; i < 8; ++i) {
    shapes.rows[i] = static_cast<uint8_t>(i / 2 * 2 == kInputs ? depth / 4 : 16);
    shapes.row_bytes[i] = static_cast<uint16_t>(i >= kWeights ? depth : 64);
  }
  asm volatile("ldtilecfg %0" : : "m"(shapes));
}

static inline void ReleaseTiles() { asm volatile("tilerelease"); }

template <int kTile>
static inline void LoadTile(const void* p, int64_t stride) {
  asm volatile("tileloadd (%1,%2,1), %%tmm%c0" : : "i"(kTile), "r"(p), "r"(stride) : "memory");
}

// What is read once before much else is: it need not push that from the first level of the cache.
template <int kTile>
static inline void LoadTileOnce(const void* p, int64_t stride) {
  asm volatile("tileloaddt1 (%1,%2,1), %%tmm%c0" : : "i"(kTile), "r"(p), "r"(stride) : "memory");
}

template <int kTile>
static inline void StoreTile(void* p, int64_t stride) {
  asm volatile("tilestored %%tmm%c0, (%1,%2,1)" : : "i"(kTile), "r"(p), "r"(stride) : "memory");
}

// sums = weights * inputs, the inputs signed, the weights signed or not.
template <bool kSigned, int kSum, int kWeight, int kInput>
static inline void MultiplyTiles() {
  asm volatile("tilezero %%tmm%c0" : : "i"(kSum));
  if constexpr (kSigned) {
    asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kWeight), "i"(kInput));
  } else {
    asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kWeight), "i"(kInput));
  }
}

}  // namespace flashmoe::amx
