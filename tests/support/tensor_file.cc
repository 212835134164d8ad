#include "tests/support/tensor_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <numeric>

#include "format/safetensors.h"
#include "tensor/half.h"

namespace flashmoe {
namespace {

template <typename T>
std::vector<T> As(const std::vector<std::byte>& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

std::string NameOf(DType type) {
  return type == DType::kI32 ? "I32" : std::string(GetInfo(type).name);
}

}  // namespace

int64_t StoredTensor::elements() const {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

std::vector<float> StoredTensor::Floats() const {
  if (dtype == "F32") return As<float>(bytes);
  std::vector<float> values;
  values.reserve(bytes.size() / 2);
  for (const uint16_t half : As<uint16_t>(bytes)) {
    values.push_back(dtype == "BF16" ? Bf16ToF32(half) : F16ToF32(half));
  }
  return values;
}

std::vector<int32_t> StoredTensor::Ints() const { return As<int32_t>(bytes); }

StoredTensor StoredTensor::FromFloats(std::vector<int64_t> shape, std::span<const float> values,
                                      std::string_view dtype) {
  StoredTensor tensor{std::string(dtype), std::move(shape), {}};
  if (dtype == "F32") {
    const auto bytes = std::as_bytes(values);
    tensor.bytes.assign(bytes.begin(), bytes.end());
    return tensor;
  }
  std::vector<uint16_t> halves;
  for (const float v : values) halves.push_back(dtype == "BF16" ? F32ToBf16(v) : F32ToF16(v));
  const auto bytes = std::as_bytes(std::span(halves));
  tensor.bytes.assign(bytes.begin(), bytes.end());
  return tensor;
}

TensorMap ReadTensors(const std::string& path) {
  TensorMap tensors;
  const auto file = File::Open(path);
  if (!file.has_value()) {
    ADD_FAILURE() << file.error().ToString();
    return tensors;
  }
  const FileSource source(*file);
  const auto part = ParseSafetensors(source);
  if (!part.has_value()) {
    ADD_FAILURE() << part.error().ToString();
    return tensors;
  }
  for (const TensorInfo& info : part->tensors) {
    StoredTensor tensor{NameOf(info.type), info.shape, std::vector<std::byte>(info.bytes)};
    const Status read = source.ReadAt(info.offset, tensor.bytes);
    EXPECT_TRUE(read.has_value()) << info.name;
    tensors.emplace(info.name, std::move(tensor));
  }
  return tensors;
}

}  // namespace flashmoe
