#define FM_ISA amx

#include "kernels/amx/matmul_int.h"
#include "kernels/avx512/unpack_grid.h"
#include "kernels/simd/products_grid.h"
