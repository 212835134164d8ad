// Products with blocks of 32. Compiled once per instruction set, after its MatmulInt.
#pragma once

#include "kernels/simd/formats_32.h"
#include "kernels/simd/functions.h"

namespace flashmoe::FM_ISA {

MatmulFn Matmul32(DType type) {
  switch (type) {
    case DType::kQ4_0:
      return MatmulInt<FormatQ4_0>;
    case DType::kQ4_1:
      return MatmulInt<FormatQ4_1>;
    case DType::kQ5_0:
      return MatmulInt<FormatQ5_0>;
    case DType::kQ5_1:
      return MatmulInt<FormatQ5_1>;
    case DType::kQ8_0:
      return MatmulInt<FormatQ8_0>;
    case DType::kIQ4_NL:
      return MatmulInt<FormatIQ4_NL>;
    case DType::kMXFP4:
      return MatmulInt<FormatMXFP4>;
    default:
      return nullptr;
  }
}

}  // namespace flashmoe::FM_ISA
