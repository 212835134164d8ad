#include "tests/support/quantise.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "tensor/blocks.h"
#include "tensor/half.h"

namespace flashmoe {
namespace {

constexpr int64_t kBlock = 32;

template <typename T>
void Append(std::vector<std::byte>& out, const T& value) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}

float LargestBySize(std::span<const float> x) {
  return *std::max_element(x.begin(), x.end(),
                           [](float a, float b) { return std::abs(a) < std::abs(b); });
}

BlockQ8_0 PackQ8_0(std::span<const float> x) {
  BlockQ8_0 block{};
  const float d = std::abs(LargestBySize(x)) / 127.0f;
  block.d = F32ToF16(d);
  for (int64_t i = 0; i < kBlock; ++i) {
    block.qs[i] = d == 0 ? int8_t{0} : static_cast<int8_t>(std::lround(x[i] / d));
  }
  return block;
}

BlockQ4_0 PackQ4_0(std::span<const float> x) {
  BlockQ4_0 block{};
  const float d = LargestBySize(x) / -8.0f;
  block.d = F32ToF16(d);
  const auto code = [&](int64_t i) {
    const long q = d == 0 ? 8 : std::lround(x[i] / d) + 8;
    return static_cast<uint8_t>(std::clamp(q, 0L, 15L));
  };
  for (int64_t i = 0; i < kBlock / 2; ++i) {
    block.qs[i] = static_cast<uint8_t>(code(i) | code(i + kBlock / 2) << 4);
  }
  return block;
}

}  // namespace

std::vector<std::byte> Encode(DType type, std::span<const float> values) {
  std::vector<std::byte> out;
  switch (type) {
    case DType::kF32:
      for (const float v : values) Append(out, v);
      return out;
    case DType::kF16:
      for (const float v : values) Append(out, F32ToF16(v));
      return out;
    case DType::kBF16:
      for (const float v : values) Append(out, F32ToBf16(v));
      return out;
    default:
      break;
  }
  FM_CHECK((type == DType::kQ8_0 || type == DType::kQ4_0) && values.size() % kBlock == 0);
  for (size_t i = 0; i < values.size(); i += kBlock) {
    const auto block = values.subspan(i, kBlock);
    if (type == DType::kQ8_0) {
      Append(out, PackQ8_0(block));
    } else {
      Append(out, PackQ4_0(block));
    }
  }
  return out;
}

MlxMatrix EncodeMlx(std::span<const float> values, int bits, int group) {
  FM_CHECK(values.size() % group == 0 && group * bits % 32 == 0);
  MlxMatrix m;
  const auto top = static_cast<float>((1 << bits) - 1);
  m.packed.resize(values.size() * bits / 8);
  for (size_t first = 0; first < values.size(); first += group) {
    const auto x = values.subspan(first, group);
    const auto [low, high] = std::minmax_element(x.begin(), x.end());
    const uint16_t scale_bits = F32ToBf16((*high - *low) / top);
    const uint16_t bias_bits = F32ToBf16(*low);
    const float scale = Bf16ToF32(scale_bits), bias = Bf16ToF32(bias_bits);
    Append(m.scales, scale_bits);
    Append(m.biases, bias_bits);
    for (int i = 0; i < group; ++i) {
      const float q = scale == 0 ? 0 : std::clamp(std::round((x[i] - bias) / scale), 0.0f, top);
      m.values.push_back(scale * q + bias);
      // A little-endian stream of bits.
      const size_t bit = (first + i) * bits;
      const auto code = static_cast<uint32_t>(q) << bit % 8;
      m.packed[bit / 8] |= static_cast<std::byte>(code & 0xff);
      if (code > 0xff) m.packed[bit / 8 + 1] |= static_cast<std::byte>(code >> 8);
    }
  }
  return m;
}

}  // namespace flashmoe
