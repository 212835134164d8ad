#include "kernels/avx2/unpack_grid.h"
#include "kernels/simd/matmul_int.h"
#include "kernels/simd/products_grid.h"
