#include "format/byte_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace flashmoe {
namespace {

static_assert(std::endian::native == std::endian::little, "model files are little-endian");

constexpr size_t kBufferBytes = size_t{256} << 10;

std::unexpected<Error> EndsEarly(uint64_t wanted, uint64_t size, std::string where) {
  return InvalidInput(
      fmt::format("truncated: {} more bytes are needed here, but the file has {} bytes", wanted,
                  size),
      std::move(where), "the file is incomplete: download or copy it again");
}

}  // namespace

Status MemorySource::ReadAt(uint64_t offset, std::span<std::byte> out) const {
  if (offset > bytes_.size() || out.size() > bytes_.size() - offset) {
    return EndsEarly(out.size(), bytes_.size(), fmt::format("{}, byte {}", name_, offset));
  }
  if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
  return {};
}

ByteReader::ByteReader(const ByteSource& source)
    : source_(source),
      buffer_(std::make_unique_for_overwrite<std::byte[]>(
          static_cast<size_t>(std::min<uint64_t>(kBufferBytes, source.size())))) {}

std::string ByteReader::Where() const {
  return fmt::format("{}, byte {}", source_.name(), position_);
}

Status ByteReader::Read(std::span<std::byte> out) {
  if (out.size() > remaining()) return EndsEarly(out.size(), source_.size(), Where());
  while (!out.empty()) {
    const uint64_t in_buffer = position_ - buffer_begin_;
    if (in_buffer < buffer_filled_) {
      const size_t n = std::min<size_t>(out.size(), buffer_filled_ - in_buffer);
      std::memcpy(out.data(), buffer_.get() + in_buffer, n);
      out = out.subspan(n);
      position_ += n;
      continue;
    }
    const size_t n = static_cast<size_t>(std::min<uint64_t>(kBufferBytes, remaining()));
    FM_RETURN_IF_ERROR(source_.ReadAt(position_, {buffer_.get(), n}));
    buffer_begin_ = position_;
    buffer_filled_ = n;
  }
  return {};
}

Result<std::string> ByteReader::ReadText(uint64_t bytes) {
  if (bytes > remaining()) return EndsEarly(bytes, source_.size(), Where());
  std::string text(static_cast<size_t>(bytes), '\0');
  FM_RETURN_IF_ERROR(Read(std::as_writable_bytes(std::span(text))));
  return text;
}

}  // namespace flashmoe
