// Products with MLX integers. Compiled once per instruction set, after its MatmulInt.
#pragma once

#include "kernels/simd/formats_mlx.h"
#include "kernels/simd/functions.h"

namespace flashmoe::FM_ISA {

MatmulFn MatmulMlx(DType type) {
  switch (type) {
    case DType::kMlx2:
      return MatmulInt<FormatMlx<2>>;
    case DType::kMlx4:
      return MatmulInt<FormatMlx<4>>;
    case DType::kMlx6:
      return MatmulInt<FormatMlx<6>>;
    case DType::kMlx8:
      return MatmulInt<FormatMlx<8>>;
    default:
      return nullptr;
  }
}

}  // namespace flashmoe::FM_ISA
