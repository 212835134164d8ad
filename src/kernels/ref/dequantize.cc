#include "kernels/ref/dequantize.h"

#include <cstring>

#include "base/check.h"
#include "kernels/ref/decode.h"
#include "tensor/half.h"

namespace flashmoe::ref {
namespace {

template <typename T, typename Convert>
void ForEachElement(const std::byte* data, int64_t count, float* out, Convert convert) {
  for (int64_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, data + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
    out[i] = convert(value);
  }
}

template <typename T>
void Cast(const std::byte* data, int64_t count, float* out) {
  ForEachElement<T>(data, count, out, [](T value) { return static_cast<float>(value); });
}

void CopyF32(const std::byte* data, int64_t count, float* out) {
  std::memcpy(out, data, static_cast<size_t>(count) * sizeof(float));
}

void DecodeF16(const std::byte* data, int64_t count, float* out) {
  ForEachElement<uint16_t>(data, count, out, F16ToF32);
}

void DecodeBF16(const std::byte* data, int64_t count, float* out) {
  ForEachElement<uint16_t>(data, count, out, Bf16ToF32);
}

// Null for MLX types, whose scales lie elsewhere.
DecodeFn DecoderOf(DType type) {
  switch (type) {
    case DType::kF32:
      return CopyF32;
    case DType::kF16:
      return DecodeF16;
    case DType::kBF16:
      return DecodeBF16;
    case DType::kF64:
      return Cast<double>;
    case DType::kI8:
      return Cast<int8_t>;
    case DType::kI16:
      return Cast<int16_t>;
    case DType::kI32:
      return Cast<int32_t>;
    case DType::kI64:
      return Cast<int64_t>;
    case DType::kQ4_0:
      return DecodeQ4_0;
    case DType::kQ4_1:
      return DecodeQ4_1;
    case DType::kQ5_0:
      return DecodeQ5_0;
    case DType::kQ5_1:
      return DecodeQ5_1;
    case DType::kQ8_0:
      return DecodeQ8_0;
    case DType::kQ2_K:
      return DecodeQ2_K;
    case DType::kQ3_K:
      return DecodeQ3_K;
    case DType::kQ4_K:
      return DecodeQ4_K;
    case DType::kQ5_K:
      return DecodeQ5_K;
    case DType::kQ6_K:
      return DecodeQ6_K;
    case DType::kIQ1_S:
      return DecodeIQ1_S;
    case DType::kIQ1_M:
      return DecodeIQ1_M;
    case DType::kIQ2_XXS:
      return DecodeIQ2_XXS;
    case DType::kIQ2_XS:
      return DecodeIQ2_XS;
    case DType::kIQ2_S:
      return DecodeIQ2_S;
    case DType::kIQ3_XXS:
      return DecodeIQ3_XXS;
    case DType::kIQ3_S:
      return DecodeIQ3_S;
    case DType::kIQ4_NL:
      return DecodeIQ4_NL;
    case DType::kIQ4_XS:
      return DecodeIQ4_XS;
    case DType::kTQ1_0:
      return DecodeTQ1_0;
    case DType::kTQ2_0:
      return DecodeTQ2_0;
    case DType::kMXFP4:
      return DecodeMXFP4;
    case DType::kNVFP4:
      return DecodeNVFP4;
    case DType::kQ1_0:
      return DecodeQ1_0;
    case DType::kQ2_0:
      return DecodeQ2_0;
    case DType::kMlx2:
    case DType::kMlx4:
    case DType::kMlx6:
    case DType::kMlx8:
      return nullptr;
  }
  FM_CHECK(false && "not a DType");
}

}  // namespace

void DequantizeSpan(const Matrix& w, int64_t row, int64_t begin, int64_t count, float* out) {
  const DecodeFn decode = DecoderOf(w.type);
  if (decode == nullptr) {
    DecodeMlx(w, row, begin, count, out);
    return;
  }
  const std::byte* data = w.data + row * w.row_bytes + RowBytes(w.type, begin);
  decode(data, count / GetInfo(w.type).block_elements, out);
}

void DequantizeRow(const Matrix& w, int64_t row, float* out) {
  DequantizeSpan(w, row, 0, w.cols, out);
}

}  // namespace flashmoe::ref
