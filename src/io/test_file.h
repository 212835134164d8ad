// For tests: a file of known bytes that goes away with the object.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "io/file.h"

namespace flashmoe {

class TestFile {
 public:
  TestFile(const std::string& folder, uint64_t bytes, uint64_t seed = 1) : content_(bytes) {
    static std::atomic<int> count = 0;
    path_ = fmt::format("{}/flashmoe_test_{}_{}", folder, getpid(), count++);
    std::mt19937_64 random(seed);
    for (uint64_t i = 0; i < bytes; i += 8) {
      const uint64_t value = random();
      std::memcpy(&content_[i], &value, std::min<uint64_t>(8, bytes - i));
    }
    unlink(path_.c_str());  // left by a process of this number that was cut short
    const int fd = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FM_CHECK(fd >= 0);
    FM_CHECK(write(fd, content_.data(), bytes) == static_cast<ssize_t>(bytes));
    // What is not on the device yet would be written by the first direct read.
    FM_CHECK(fsync(fd) == 0);
    close(fd);
    auto file = File::Open(path_);
    FM_CHECK(file.has_value());
    file_ = *file;
  }
  ~TestFile() { unlink(path_.c_str()); }
  TestFile(const TestFile&) = delete;
  TestFile& operator=(const TestFile&) = delete;

  const std::string& path() const { return path_; }
  const File* file() const { return file_.get(); }
  std::span<const std::byte> content() const { return content_; }
  // `content()` stays as it was.
  void Overwrite(uint64_t offset, std::string_view bytes) const {
    usleep(20'000);  // where the clock of files is coarse
    const int fd = open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    FM_CHECK(fd >= 0);
    FM_CHECK(pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
             static_cast<ssize_t>(bytes.size()));
    close(fd);
  }
  void Truncate(uint64_t bytes) {
    FM_CHECK(truncate(path_.c_str(), static_cast<off_t>(bytes)) == 0);
  }

 private:
  std::string path_;
  std::vector<std::byte> content_;
  std::shared_ptr<const File> file_;
};

}  // namespace flashmoe
