// Tables of the values that four bits stand for.
#pragma once

#include <cstdint>

namespace flashmoe::ref {

// IQ4_NL and IQ4_XS: finer near zero, where weights are dense.
inline constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                          1,    13,   25,  38,  53,  69,  89,  113};
// MXFP4 and NVFP4: twice the values of a 4-bit float (sign, 2 bits exponent, 1 bit mantissa).
inline constexpr int8_t kE2M1DoubledValues[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                                  0, -1, -2, -3, -4, -6, -8, -12};

}  // namespace flashmoe::ref
