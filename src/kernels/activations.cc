#include "kernels/kernels.h"

namespace flashmoe {

Activations SliceTokens(const Activations& x, int64_t first, int64_t n) {
  Activations slice = x;
  slice.n = n;
  if (x.f32 != nullptr) slice.f32 = x.f32 + first * x.cols;
  if (x.q8 != nullptr) {
    slice.q8 = x.q8 + first * x.cols;
    slice.scales = x.scales + first * (x.cols / 32);
    slice.sums = x.sums + first * (x.cols / 16);
  }
  return slice;
}

}  // namespace flashmoe
