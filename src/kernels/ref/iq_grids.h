// The codebooks of the IQ types: each row is a point of a lattice, chosen for being frequent among
// trained weights. A row is packed into 16 bits, element 0 in the lowest ones.
#pragma once

#include <cstdint>

namespace flashmoe::ref {

// Eight elements of 2 bits c, standing for 8, 25, 43.
extern const uint16_t kIq2XxsGrid[256];
extern const uint16_t kIq2XsGrid[512];
extern const uint16_t kIq2SGrid[1024];

inline constexpr float kIq2Values[4] = {8, 25, 43, 0};

inline float Iq2Value(uint16_t row, int i) { return kIq2Values[row >> 2 * i & 3]; }

// Four elements of 3 bits, standing for:
extern const uint16_t kIq3XxsGrid[256];
extern const uint16_t kIq3SGrid[512];

inline constexpr float kIq3XxsValues[8] = {4, 12, 20, 28, 36, 44, 52, 62};
inline constexpr float kIq3SValues[8] = {1, 3, 5, 7, 9, 11, 13, 15};

// Eight elements of 2 bits c, standing for c - 1. IQ1_S and IQ1_M.
extern const uint16_t kIq1Grid[2048];

inline float Iq1Value(uint16_t row, int i) { return static_cast<float>((row >> 2 * i & 3) - 1); }

// The same rows with a byte per element, element 0 in the lowest one: kGridOffset plus the value,
// so that a byte has room for a sign. For fast kernels.
inline constexpr int kGridOffset = 64;
template <typename Word, int kRows>
struct GridRows {
  Word row[kRows];
};
extern const GridRows<uint64_t, 256> kIq2XxsRows;
extern const GridRows<uint64_t, 512> kIq2XsRows;
extern const GridRows<uint64_t, 1024> kIq2SRows;
extern const GridRows<uint32_t, 256> kIq3XxsRows;
extern const GridRows<uint32_t, 512> kIq3SRows;

// The same rows as codes: byte r of each half belongs to row r and holds half of its elements, the
// first ones in the low bits, 2 bits or a nibble each.
template <int kRows>
struct alignas(64) GridCodes {
  uint8_t half[2][kRows];
};
extern const GridCodes<256> kIq2XxsCodes;
extern const GridCodes<512> kIq2XsCodes;
extern const GridCodes<1024> kIq2SCodes;
extern const GridCodes<256> kIq3XxsCodes;
extern const GridCodes<512> kIq3SCodes;

}  // namespace flashmoe::ref
