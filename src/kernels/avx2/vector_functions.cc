#include "kernels/avx2/vector.h"
#include "kernels/simd/elementwise.h"
#include "kernels/simd/functions.h"
#include "kernels/simd/store_kv.h"

namespace flashmoe::avx2 {

void AddVectorFunctions(KernelTable& table) {
  table.rms_norm = RmsNorm;
  table.l2_norm = L2Norm;
  table.silu_mul = SiluMul;
  table.sigmoid_mul = SigmoidMul;
  table.silu_scale = SiluScale;
  table.axpy = Axpy;
  table.axpy_bf16 = AxpyBf16;
  table.dot = Dot;
  table.softmax = Softmax;
  table.conv4_silu = Conv4Silu;
  table.rope = Rope;
  table.store_kv = StoreKv;
}

}  // namespace flashmoe::avx2
