#include "kernels/avx512/vector.h"
#include "kernels/simd/functions.h"
#include "kernels/simd/matmul_types.h"
#include "kernels/simd/quantize.h"

namespace flashmoe::avx512 {
namespace {

// What is faster for one token alone; null where nothing is.
MatmulFn TokenMatmulOf(DType type) {
  if (const MatmulFn pairs = MatmulPairToken(type)) return pairs;
  return __builtin_cpu_supports("avx512vbmi") != 0 ? MatmulGridToken(type) : nullptr;
}

}  // namespace

void Matmul(const Matrix& w, int64_t row_begin, int64_t row_end, const Activations& x, float* y,
            int64_t y_stride) {
  if (const MatmulFn token = x.n == 1 ? TokenMatmulOf(w.type) : nullptr) {
    return token(w, row_begin, row_end, x, y, y_stride);
  }
  MatmulOfType(w, row_begin, row_end, x, y, y_stride);
}

void AddMatmul(KernelTable& table) {
  table.activation_format = FormatOf;
  table.quantize_q8 = QuantizeQ8;
  table.matmul = Matmul;
  table.stack_bytes = kStackBytes;
}

}  // namespace flashmoe::avx512
