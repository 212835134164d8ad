// The loop of peak.h.
#include <cstdint>

#include "kernels/amx/tile_registers.h"
#include "kernels/simd/functions.h"

namespace flashmoe::amx {

int64_t MultiplyIntegers(int64_t rounds) {
  constexpr int kDepth = 64;
  SetTileShapes(kDepth);
  // Tiles that were never loaded multiply three times slower.
  const uint8_t zeros[16][kDepth] = {};
  LoadTile<kWeights>(zeros, kDepth);
  LoadTile<kInputs>(zeros, kDepth);
  for (int64_t i = 0; i < rounds; ++i) {
    MultiplyTiles<true, kSums, kWeights, kInputs>();
    MultiplyTiles<true, kSums + 1, kWeights, kInputs>();
    MultiplyTiles<true, kSums, kWeights, kInputs>();
    MultiplyTiles<true, kSums + 1, kWeights, kInputs>();
  }
  ReleaseTiles();
  return rounds * 4 * 16 * 16 * kDepth;
}

}  // namespace flashmoe::amx
