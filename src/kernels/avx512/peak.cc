#define FM_ISA avx512
#define FM_REGISTER "zmm"
#define FM_REGISTER_BYTES 64
#define FM_INTEGER_PRODUCT "vpdpbusd"

#include "kernels/simd/peak_loops.h"
