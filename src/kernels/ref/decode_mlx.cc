#include <cstring>

#include "base/check.h"
#include "kernels/ref/decode.h"
#include "tensor/half.h"

namespace flashmoe::ref {
namespace {

float LoadScale(const std::byte* data, DType type, int64_t index) {
  if (type == DType::kF32) {
    float value;
    std::memcpy(&value, data + index * 4, sizeof(value));
    return value;
  }
  FM_CHECK(type == DType::kBF16 || type == DType::kF16);
  uint16_t half;
  std::memcpy(&half, data + index * 2, sizeof(half));
  return type == DType::kBF16 ? Bf16ToF32(half) : F16ToF32(half);
}

// Element i of a little-endian bit stream. Every width keeps to this: 2, 4 and 8 bits fill words
// from their low end, 6 bits put four elements into three bytes.
uint32_t Element(const std::byte* stream, int bits, int64_t i) {
  const int64_t bit = i * bits;
  const int shift = static_cast<int>(bit % 8);
  uint32_t value = std::to_integer<uint32_t>(stream[bit / 8]) >> shift;
  if (shift + bits > 8) value |= std::to_integer<uint32_t>(stream[bit / 8 + 1]) << (8 - shift);
  return value & ((1u << bits) - 1);
}

}  // namespace

void DecodeMlx(const Matrix& w, int64_t row, int64_t begin, int64_t count, float* out) {
  const int bits = MlxBits(w.type);
  const std::byte* stream = w.data + row * w.row_bytes;
  const int64_t first_group = row * (w.cols / w.group);
  int64_t i = begin;
  while (i < begin + count) {
    const int64_t group = i / w.group;
    const float scale = LoadScale(w.scales, w.scale_type, first_group + group);
    const float bias = LoadScale(w.biases, w.scale_type, first_group + group);
    const int64_t group_end = (group + 1) * w.group;
    const int64_t end = group_end < begin + count ? group_end : begin + count;
    for (; i < end; ++i) {
      out[i - begin] = scale * static_cast<float>(Element(stream, bits, i)) + bias;
    }
  }
}

}  // namespace flashmoe::ref
