#include "kernels/avx2/unpack_32.h"
#include "kernels/simd/matmul_int.h"
#include "kernels/simd/products_32.h"
