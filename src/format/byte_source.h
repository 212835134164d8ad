// Where the parsers take their bytes from: a file, or memory (tests, fuzzers).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>

#include "base/status.h"
#include "io/file.h"

namespace flashmoe {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual const std::string& name() const = 0;  // for error messages
  virtual uint64_t size() const = 0;
  // Fills `out` from `offset`, or fails: never a short read.
  virtual Status ReadAt(uint64_t offset, std::span<std::byte> out) const = 0;
};

class FileSource : public ByteSource {
 public:
  explicit FileSource(std::shared_ptr<const File> file) : file_(std::move(file)) {}
  const std::string& name() const override { return file_->path(); }
  uint64_t size() const override { return file_->size(); }
  Status ReadAt(uint64_t offset, std::span<std::byte> out) const override {
    return file_->ReadAt(offset, out);
  }

 private:
  std::shared_ptr<const File> file_;
};

// The bytes stay the caller's and must outlive the source.
class MemorySource : public ByteSource {
 public:
  MemorySource(std::string name, std::span<const std::byte> bytes)
      : name_(std::move(name)), bytes_(bytes) {}
  const std::string& name() const override { return name_; }
  uint64_t size() const override { return bytes_.size(); }
  Status ReadAt(uint64_t offset, std::span<std::byte> out) const override;

 private:
  std::string name_;
  std::span<const std::byte> bytes_;
};

// Reads a source from front to back through a buffer. Every read is checked against the end of
// the source before memory is taken for it.
class ByteReader {
 public:
  explicit ByteReader(const ByteSource& source);

  uint64_t position() const { return position_; }
  uint64_t remaining() const { return source_.size() - position_; }
  std::string Where() const;  // "file.gguf, byte 123"

  Status Read(std::span<std::byte> out);

  // One little-endian number.
  template <typename T>
  Result<T> Read() {
    T value;
    const uint64_t in_buffer = position_ - buffer_begin_;
    if (in_buffer <= buffer_filled_ && sizeof value <= buffer_filled_ - in_buffer) {
      std::memcpy(&value, buffer_.get() + in_buffer, sizeof value);  // the usual case
      position_ += sizeof value;
      return value;
    }
    FM_RETURN_IF_ERROR(Read(std::as_writable_bytes(std::span(&value, 1))));
    return value;
  }

  // `bytes` bytes as text. The caller bounds `bytes`; that they exist is checked here.
  Result<std::string> ReadText(uint64_t bytes);

 private:
  const ByteSource& source_;
  uint64_t position_ = 0;      // of the next byte to hand out
  uint64_t buffer_begin_ = 0;  // of buffer_[0], in the source
  size_t buffer_filled_ = 0;
  std::unique_ptr<std::byte[]> buffer_;
};

}  // namespace flashmoe
