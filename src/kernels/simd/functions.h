// What an instruction set contributes to its table. They are compiled with it, so
// kernels/dispatch.cc calls them only after it has seen that the CPU has the set.
#pragma once

#include "kernels/kernels.h"

namespace flashmoe {

using MatmulFn = decltype(KernelTable::matmul);

namespace avx2 {
constexpr uint64_t kStackBytes = 96 << 10;
void Matmul(const Matrix& w, int64_t row_begin, int64_t row_end, const Activations& x, float* y,
            int64_t y_stride);
void AddMatmul(KernelTable& table);
void AddVectorFunctions(KernelTable& table);
void AddMixers(KernelTable& table);  // attention and delta rule
// Integer products by family of types; null for types of another.
MatmulFn Matmul32(DType type);
MatmulFn MatmulK(DType type);
MatmulFn MatmulGrid(DType type);
MatmulFn MatmulMlx(DType type);
// See peak.h.
int64_t MultiplyIntegers(int64_t rounds);
int64_t MultiplyFloats(int64_t rounds);
}  // namespace avx2

namespace avx512 {
constexpr uint64_t kStackBytes = 320 << 10;
void Matmul(const Matrix& w, int64_t row_begin, int64_t row_end, const Activations& x, float* y,
            int64_t y_stride);
void AddMatmul(KernelTable& table);
void AddVectorFunctions(KernelTable& table);
void AddMixers(KernelTable& table);
MatmulFn Matmul32(DType type);
MatmulFn MatmulK(DType type);
MatmulFn MatmulGrid(DType type);
MatmulFn MatmulMlx(DType type);
// Of one token with weights from grids, the same bits as MatmulGrid's; null for other types. Needs
// AVX-512 VBMI too, which the caller has seen.
MatmulFn MatmulGridToken(DType type);
// Of one token with the types of two to five bits, the same bits as MatmulK's; null for others.
MatmulFn MatmulPairToken(DType type);
// See peak.h.
int64_t MultiplyIntegers(int64_t rounds);
int64_t MultiplyFloats(int64_t rounds);
}  // namespace avx512

// Only what differs from avx512. The products ask for many tokens and whole tiles of 16 rows.
namespace amx {
constexpr uint64_t kStackBytes = 448 << 10;
void AddMatmul(KernelTable& table);
MatmulFn Matmul32(DType type);
MatmulFn MatmulK(DType type);
MatmulFn MatmulGrid(DType type);
MatmulFn MatmulMlx(DType type);
// See peak.h.
int64_t MultiplyIntegers(int64_t rounds);
}  // namespace amx

}  // namespace flashmoe
