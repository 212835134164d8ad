#include "format/tensor_layout.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "format/utf8.h"

namespace flashmoe {

Status CheckTensorName(std::string_view name, const std::string& where) {
  if (name.empty()) return InvalidInput("a tensor without a name", where);
  if (name.size() > kTensorNameBytesMax) {
    return InvalidInput(
        fmt::format("a tensor name of {} bytes, the most is {}", name.size(), kTensorNameBytesMax),
        where);
  }
  if (!IsUtf8(name)) {
    return InvalidInput(fmt::format("the tensor name {} is not valid UTF-8", Quoted(name)), where);
  }
  return {};
}

Result<uint64_t> TensorBytes(std::string_view name, DType type, std::span<const int64_t> shape,
                             const std::string& where) {
  const auto absurd = [&](std::string_view why) {
    return InvalidInput(fmt::format("tensor {} of type {} and shape [{}] {}", Quoted(name),
                                    GetInfo(type).name, fmt::join(shape, ", "), why),
                        where);
  };
  if (shape.empty()) return absurd("has no dimensions");
  int64_t elements = 1;
  for (const int64_t dimension : shape) {
    if (dimension <= 0) return absurd("has a dimension that is not positive");
    if (__builtin_mul_overflow(elements, dimension, &elements)) return absurd("is absurdly large");
  }
  const DTypeInfo& info = GetInfo(type);
  if (shape.back() % info.block_elements != 0) {
    return absurd(
        fmt::format("has rows that do not divide into blocks of {}", info.block_elements));
  }
  int64_t bytes = 0;
  if (__builtin_mul_overflow(elements / info.block_elements, int64_t{info.block_bytes}, &bytes)) {
    return absurd("is absurdly large");
  }
  return static_cast<uint64_t>(bytes);
}

Status CheckExtents(std::vector<TensorExtent>& extents, uint64_t begin, uint64_t file_bytes,
                    const std::string& where) {
  std::ranges::sort(extents, {}, &TensorExtent::offset);
  const TensorExtent* before = nullptr;
  for (const TensorExtent& extent : extents) {
    uint64_t end = 0;
    if (extent.offset < begin || __builtin_add_overflow(extent.offset, extent.bytes, &end)) {
      return InvalidInput(
          fmt::format("tensor {} lies outside the data of the file", Quoted(extent.name)), where);
    }
    if (end > file_bytes) {
      return InvalidInput(fmt::format("truncated: tensor {} ends at byte {} but the file has {} "
                                      "bytes",
                                      Quoted(extent.name), end, file_bytes),
                          where, "the file is incomplete: download or copy it again");
    }
    // Checked ends cannot overflow.
    if (before != nullptr && extent.offset < before->offset + before->bytes) {
      return InvalidInput(
          fmt::format("tensors {} and {} overlap", Quoted(before->name), Quoted(extent.name)),
          where, "the file is damaged: download it again");
    }
    before = &extent;
  }
  return {};
}

}  // namespace flashmoe
