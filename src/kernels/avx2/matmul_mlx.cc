#include "kernels/avx2/unpack_mlx.h"
#include "kernels/simd/matmul_int.h"
#include "kernels/simd/products_mlx.h"
