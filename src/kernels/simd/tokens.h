// Where the inputs and weight rows of an integer product lie.
#pragma once

#include "kernels/kernels.h"
#include "kernels/simd/formats.h"

namespace flashmoe::FM_ISA {

struct Token {
  const int8_t* q8;
  const float* scales;
  const int16_t* sums;
};

// A token's last, incomplete span, filled up with zeros.
struct TailToken {
  int8_t q8[kSpan];
  float scales[kSpanBlocks];
  int16_t sums[2 * kSpanBlocks];
};

struct Shape {
  int64_t spans;        // complete ones
  int64_t tail_blocks;  // of the one after them
};

static inline Token TokenAt(const Activations& x, int64_t t) {
  const int64_t blocks = x.cols / 32;
  return {x.q8 + t * x.cols, x.scales + t * blocks, x.sums + 2 * t * blocks};
}

static inline void CopyBlocks(const Token& x, int64_t blocks, TailToken* to) {
  const auto n = static_cast<size_t>(blocks);
  __builtin_memcpy(to->q8, x.q8, n * 32);
  __builtin_memcpy(to->scales, x.scales, n * sizeof(float));
  __builtin_memcpy(to->sums, x.sums, 2 * n * sizeof(int16_t));
}

static inline void CopyTail(const Token& x, const Shape& shape, TailToken* tail) {
  __builtin_memset(tail, 0, sizeof(*tail));
  const int64_t first = shape.spans * kSpanBlocks;
  CopyBlocks({x.q8 + first * 32, x.scales + first, x.sums + 2 * first}, shape.tail_blocks, tail);
}

static inline Shape ShapeOf(const Matrix& w) { return {w.cols / kSpan, w.cols % kSpan / 32}; }

static inline Row RowAt(const Matrix& w, int64_t r) {
  const auto* data = reinterpret_cast<const uint8_t*>(w.data) + r * w.row_bytes;
  if (w.group == 0) return {data, nullptr, nullptr, 0, DType::kF32};
  const int64_t offset = r * (w.cols / w.group) * (w.scale_type == DType::kF32 ? 4 : 2);
  return {data, reinterpret_cast<const uint8_t*>(w.scales) + offset,
          reinterpret_cast<const uint8_t*>(w.biases) + offset, w.group, w.scale_type};
}

}  // namespace flashmoe::FM_ISA
