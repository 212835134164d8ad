#include <algorithm>
#include <cfloat>
#include <cmath>

#include "kernels/ref/dequantize.h"
#include "kernels/ref/scalar.h"

namespace flashmoe::ref {
namespace {

constexpr int64_t kQ8Block = 32;

struct Q8Scale {
  float scale;
  bool usable;  // false: every q is zero
};

Q8Scale ScaleOfBlock(const float* x) {
  float largest = 0.0f;
  bool finite = true;
  for (int64_t i = 0; i < kQ8Block; ++i) {
    finite = finite && std::isfinite(x[i]);
    largest = std::max(largest, std::fabs(x[i]));
  }
  // A block with a NaN or an infinity becomes all NaN: seen downstream, never cast to int8.
  if (!finite) return {NAN, false};
  const float scale = largest / 127.0f;
  if (scale < FLT_MIN) return {0.0f, false};  // division by a subnormal could overshoot 127
  return {scale, true};
}

}  // namespace

ActivationFormat ActivationFormatOf(DType) { return ActivationFormat::kF32; }

void QuantizeQ8(const float* x, int64_t n, int64_t cols, int8_t* q8, float* scales, int16_t* sums) {
  for (int64_t block = 0; block < n * cols / kQ8Block; ++block) {
    const float* in = x + block * kQ8Block;
    const Q8Scale s = ScaleOfBlock(in);
    int sum[2] = {0, 0};
    for (int64_t i = 0; i < kQ8Block; ++i) {
      const int32_t q = s.usable ? static_cast<int32_t>(std::nearbyint(in[i] / s.scale)) : 0;
      q8[block * kQ8Block + i] = static_cast<int8_t>(q);
      sum[i / 16] += q;
    }
    scales[block] = s.scale;
    for (int i = 0; i < 2; ++i) sums[2 * block + i] = static_cast<int16_t>(sum[i]);
  }
}

// Each piece of a row is dequantised once for all tokens; its dot products are added to y, piece by
// piece, which is also kinder to rounding than one long sum.
void Matmul(const Matrix& w, int64_t row_begin, int64_t row_end, const Activations& x, float* y,
            int64_t y_stride) {
  float piece[kPieceElements];
  for (int64_t row = row_begin; row < row_end; ++row) {
    for (int64_t t = 0; t < x.n; ++t) y[t * y_stride + row] = 0.0f;
    for (int64_t begin = 0; begin < w.cols; begin += kPieceElements) {
      const int64_t count = std::min(kPieceElements, w.cols - begin);
      DequantizeSpan(w, row, begin, count, piece);
      for (int64_t t = 0; t < x.n; ++t) {
        y[t * y_stride + row] += Dot(piece, x.f32 + t * x.cols + begin, count);
      }
    }
  }
}

}  // namespace flashmoe::ref
