// A file opened for positional reading, twice where the volume allows: through the page cache and
// past it (O_DIRECT).
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <span>
#include <string>

#include "base/status.h"

namespace flashmoe {

class File {
 public:
  // Fails for anything but a readable regular file. `path` is kept for error messages.
  static Result<std::shared_ptr<const File>> Open(const std::string& path);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }  // when it was opened
  int fd() const { return fd_; }
  int direct_fd() const { return direct_fd_; }  // -1: the volume does not offer O_DIRECT

  // Reads exactly out.size() bytes at `offset` through the page cache. Interrupted and short reads
  // are continued; the end of the file before the last byte is an error. Any thread.
  Status ReadAt(uint64_t offset, std::span<std::byte> out) const;

  // An error if the file has another size or was written to since it was opened: then what was just
  // read at `offset` may be another model's. A file that another one has replaced under its name is
  // still read as it was. Any thread.
  Status CheckUnchanged(uint64_t offset) const;

 private:
  File() = default;
  std::string path_;
  uint64_t size_ = 0;
  timespec written_ = {};  // last, when it was opened
  int fd_ = -1;
  int direct_fd_ = -1;
};

}  // namespace flashmoe
