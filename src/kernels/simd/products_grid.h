// Products with grids. Compiled once per instruction set, after its MatmulInt.
#pragma once

#include "kernels/simd/formats_grid.h"
#include "kernels/simd/functions.h"

namespace flashmoe::FM_ISA {

MatmulFn MatmulGrid(DType type) {
  switch (type) {
    case DType::kIQ2_XXS:
      return MatmulInt<FormatIQ2_XXS>;
    case DType::kIQ2_XS:
      return MatmulInt<FormatIQ2_XS>;
    case DType::kIQ2_S:
      return MatmulInt<FormatIQ2_S>;
    case DType::kIQ3_XXS:
      return MatmulInt<FormatIQ3_XXS>;
    case DType::kIQ3_S:
      return MatmulInt<FormatIQ3_S>;
    default:
      return nullptr;
  }
}

}  // namespace flashmoe::FM_ISA
