// Products with blocks of 256 with small scales. Compiled once per instruction set, after its
// MatmulInt.
#pragma once

#include "kernels/simd/formats_k.h"
#include "kernels/simd/functions.h"

namespace flashmoe::FM_ISA {

MatmulFn MatmulK(DType type) {
  switch (type) {
    case DType::kQ2_K:
      return MatmulInt<FormatQ2_K>;
    case DType::kQ3_K:
      return MatmulInt<FormatQ3_K>;
    case DType::kQ4_K:
      return MatmulInt<FormatQ4_K>;
    case DType::kQ5_K:
      return MatmulInt<FormatQ5_K>;
    case DType::kQ6_K:
      return MatmulInt<FormatQ6_K>;
    case DType::kIQ4_XS:
      return MatmulInt<FormatIQ4_XS>;
    default:
      return nullptr;
  }
}

}  // namespace flashmoe::FM_ISA
