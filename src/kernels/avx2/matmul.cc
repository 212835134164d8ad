#include "kernels/avx2/vector.h"
#include "kernels/simd/functions.h"
#include "kernels/simd/matmul_types.h"
#include "kernels/simd/quantize.h"

namespace flashmoe::avx2 {

void Matmul(const Matrix& w, int64_t row_begin, int64_t row_end, const Activations& x, float* y,
            int64_t y_stride) {
  MatmulOfType(w, row_begin, row_end, x, y, y_stride);
}

void AddMatmul(KernelTable& table) {
  table.activation_format = FormatOf;
  table.quantize_q8 = QuantizeQ8;
  table.matmul = Matmul;
  table.stack_bytes = kStackBytes;
}

}  // namespace flashmoe::avx2
