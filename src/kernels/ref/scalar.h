// The functions of the scalar KernelTable; kernels/kernels.h says what each promises. Sums run in a
// fixed order, so that results do not depend on the compiler's choice of vectors.
#pragma once

#include "kernels/kernels.h"

namespace flashmoe::ref {

ActivationFormat ActivationFormatOf(DType type);
void QuantizeQ8(const float* x, int64_t n, int64_t cols, int8_t* q8, float* scales, int16_t* sums);
void Matmul(const Matrix& w, int64_t row_begin, int64_t row_end, const Activations& x, float* y,
            int64_t y_stride);

void RmsNorm(const float* x, const float* weight, float eps, int64_t n, float* y);
void L2Norm(const float* x, float eps, float scale, int64_t n, float* y);
void SiluMul(const float* gate, const float* up, int64_t n, float* y);
void SigmoidMul(const float* gate, int64_t n, float* x);
void SiluScale(const float* gate, int64_t n, float* x);
void Axpy(float a, const float* x, int64_t n, float* y);
void AxpyBf16(float a, const float* x, int64_t n, uint32_t chance, uint16_t* y);
float Dot(const float* a, const float* b, int64_t n);
void Softmax(float* x, int64_t n);
void Conv4Silu(const float* weight, const float* const window[4], int64_t channels, float* u);

void Rope(float* x, const float* cosines, const float* sines, int64_t half);
void StoreKv(const float* x, int64_t n, KvType type, std::byte* out);
void Attention(const AttentionBlock& args);

void StepDelta(const DeltaStep& args);
void ChunkDelta(const DeltaChunk& args);

}  // namespace flashmoe::ref
