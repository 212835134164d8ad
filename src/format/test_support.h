// For tests of this folder: scratch folders, sources over strings, raw GGUF bytes.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "format/byte_source.h"

namespace flashmoe {

// A folder that goes away with the object.
class TestFolder {
 public:
  TestFolder() {
    std::string pattern = testing::TempDir() + "/flashmoe_format_XXXXXX";
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string File(std::string_view name) const { return fmt::format("{}/{}", path_, name); }
  // Returns the path of the new file.
  std::string Write(std::string_view name, std::string_view content) const {
    std::ofstream(File(name), std::ios::binary) << content;
    return File(name);
  }

 private:
  std::string path_;
};

inline std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// `count` bytes 0, 1, 2, ...
inline std::vector<std::byte> Ramp(size_t count) {
  std::vector<std::byte> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i);
  return bytes;
}

// The error of a Result or Status in one line; empty if it is none.
template <typename R>
std::string ErrorOf(const R& result) {
  return result.has_value() ? std::string() : result.error().ToString();
}

// Puts a GGUF file together field by field, right or wrong.
class RawGguf {
 public:
  RawGguf(uint64_t tensors, uint64_t pairs, uint32_t version = 3) : bytes_("GGUF") {
    Put(version).Put(tensors).Put(pairs);
  }
  template <typename T>
  RawGguf& Put(T value) {
    static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  RawGguf& Text(std::string_view text) {
    Put<uint64_t>(text.size());
    bytes_ += text;
    return *this;
  }
  // `ne`: innermost first, as in the file.
  RawGguf& Tensor(std::string_view name, const std::vector<int64_t>& ne, uint32_t type,
                  uint64_t offset) {
    Text(name).Put(static_cast<uint32_t>(ne.size()));
    for (const int64_t dimension : ne) Put(dimension);
    return Put(type).Put(offset);
  }
  // The padded header and `data` bytes.
  std::string Finish(size_t data = 0, size_t alignment = 32) const {
    std::string out = bytes_;
    out.resize((out.size() + alignment - 1) / alignment * alignment + data);
    return out;
  }

 private:
  std::string bytes_;
};

}  // namespace flashmoe
