// Which products tiles compute; the avx512 table computes the others, with the same results.
#include "kernels/kernels.h"
#include "kernels/simd/functions.h"

namespace flashmoe::amx {
namespace {

constexpr int64_t kTokensMin = 8;       // from which tiles pay
constexpr int64_t kColsMax = 64 * 256;  // tokens so long are laid out on the stack
constexpr int64_t kTileRows = 16;

MatmulFn TilesFor(DType type) {
  constexpr MatmulFn (*kFamilies[])(DType) = {Matmul32, MatmulK, MatmulGrid, MatmulMlx};
  for (const auto family : kFamilies) {
    if (const MatmulFn found = family(type)) return found;
  }
  return nullptr;
}

void Matmul(const Matrix& w, int64_t row_begin, int64_t row_end, const Activations& x, float* y,
            int64_t y_stride) {
  int64_t begin = row_begin;
  if (x.n >= kTokensMin && w.cols <= kColsMax && row_end - begin >= kTileRows) {
    if (const MatmulFn tiles = TilesFor(w.type)) {
      begin = row_end - (row_end - row_begin) % kTileRows;
      tiles(w, row_begin, begin, x, y, y_stride);
    }
  }
  if (begin < row_end) avx512::Matmul(w, begin, row_end, x, y, y_stride);
}

}  // namespace

void AddMatmul(KernelTable& table) {
  avx512::AddMatmul(table);
  table.matmul = Matmul;
  table.stack_bytes = kStackBytes;
}

}  // namespace flashmoe::amx
