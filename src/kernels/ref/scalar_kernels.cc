#include "kernels/kernels.h"
#include "kernels/ref/dequantize.h"
#include "kernels/ref/scalar.h"

namespace flashmoe {

const KernelTable& ScalarKernels() {
  static constexpr KernelTable kTable = {
      .name = "scalar",
      .activation_format = ref::ActivationFormatOf,
      .quantize_q8 = ref::QuantizeQ8,
      .matmul = ref::Matmul,
      .dequantize_row = ref::DequantizeRow,
      .rms_norm = ref::RmsNorm,
      .l2_norm = ref::L2Norm,
      .silu_mul = ref::SiluMul,
      .sigmoid_mul = ref::SigmoidMul,
      .silu_scale = ref::SiluScale,
      .axpy = ref::Axpy,
      .axpy_bf16 = ref::AxpyBf16,
      .dot = ref::Dot,
      .softmax = ref::Softmax,
      .conv4_silu = ref::Conv4Silu,
      .rope = ref::Rope,
      .store_kv = ref::StoreKv,
      .attention = ref::Attention,
      .delta_step = ref::StepDelta,
      .delta_chunk = ref::ChunkDelta,
  };
  return kTable;
}

}  // namespace flashmoe
