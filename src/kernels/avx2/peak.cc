#define FM_ISA avx2
#define FM_REGISTER "ymm"
#define FM_REGISTER_BYTES 32
#define FM_INTEGER_PRODUCT "vpmaddubsw"

#include "kernels/simd/peak_loops.h"
