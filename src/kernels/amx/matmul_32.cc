#define FM_ISA amx

#include "kernels/amx/matmul_int.h"
#include "kernels/avx512/unpack_32.h"
#include "kernels/simd/products_32.h"
