// Writes GGUF version 3 files: metadata first, then tensors that are produced as they are written.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/progress.h"
#include "base/status.h"
#include "format/gguf.h"
#include "tensor/dtype.h"

namespace flashmoe {

// The id of the metadata type that holds a T.
template <typename T>
constexpr GgufType GgufTypeOf() {
  if constexpr (std::same_as<T, bool>)
    return GgufType::kBool;
  else if constexpr (std::same_as<T, uint8_t>)
    return GgufType::kU8;
  else if constexpr (std::same_as<T, int8_t>)
    return GgufType::kI8;
  else if constexpr (std::same_as<T, uint16_t>)
    return GgufType::kU16;
  else if constexpr (std::same_as<T, int16_t>)
    return GgufType::kI16;
  else if constexpr (std::same_as<T, uint32_t>)
    return GgufType::kU32;
  else if constexpr (std::same_as<T, int32_t>)
    return GgufType::kI32;
  else if constexpr (std::same_as<T, uint64_t>)
    return GgufType::kU64;
  else if constexpr (std::same_as<T, int64_t>)
    return GgufType::kI64;
  else if constexpr (std::same_as<T, float>)
    return GgufType::kF32;
  else if constexpr (std::same_as<T, double>)
    return GgufType::kF64;
  else {
    static_assert(std::convertible_to<T, std::string_view>, "no metadata type holds this");
    return GgufType::kString;
  }
}

class GgufWriter {
 public:
  // Fills `out` with the tensor's bytes from `offset` on. Called in order, for whole rows.
  using Provider = std::function<Status(uint64_t offset, std::span<std::byte> out)>;
  using Sink = std::function<Status(std::span<const std::byte>)>;

  // A metadata pair; the type in the file is that of `value` (see GgufTypeOf).
  template <typename T>
  void Add(std::string_view key, const T& value) {
    BeginValue(key, GgufTypeOf<T>());
    Append(value);
  }
  template <typename T>
  void Add(std::string_view key, const std::vector<T>& values) {
    BeginArray(key, GgufTypeOf<T>(), values.size());
    for (const T& value : values) Append<T>(value);
  }

  // Also sets general.alignment. REQUIRES: a power of two of at least 8; called at most once.
  void SetAlignment(uint32_t alignment);

  // `shape`: outermost first. REQUIRES: 1 to 4 positive dimensions, rows of whole blocks.
  void AddTensor(std::string name, DType type, std::vector<int64_t> shape, Provider provider);
  // The bytes are copied. REQUIRES: as many as type and shape need.
  void AddTensor(std::string name, DType type, std::vector<int64_t> shape,
                 std::span<const std::byte> bytes);

  // All but the tensors' bytes.
  std::string Header() const;
  // The file, piece by piece.
  Status Write(const Sink& sink) const;
  // Writes `path`.part and renames it when it is complete. Progress is in bytes.
  Status WriteFile(const std::string& path, const ProgressFn& progress = {}) const;
  // What Write() will write.
  uint64_t TotalBytes() const;
  // The file in memory, for small ones.
  Result<std::string> ToString() const;

 private:
  struct Tensor {
    std::string name;
    DType type;
    std::vector<int64_t> shape;
    uint64_t bytes;
    uint64_t row_bytes;
    Provider provider;
  };

  void BeginValue(std::string_view key, GgufType type);
  void BeginArray(std::string_view key, GgufType type, uint64_t count);
  template <typename T>
  void Append(const T& value) {
    if constexpr (std::is_arithmetic_v<T>) {
      AppendBytes(&value, sizeof value);
    } else {
      AppendString(value);
    }
  }
  void AppendBytes(const void* data, size_t bytes);
  void AppendString(std::string_view text);

  std::string pairs_;  // encoded
  uint64_t pair_count_ = 0;
  uint32_t alignment_ = kGgufAlignmentDefault;
  std::vector<Tensor> tensors_;
};

}  // namespace flashmoe
