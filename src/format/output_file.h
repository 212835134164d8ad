// A file that appears under its name only when it is complete.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "base/status.h"

namespace flashmoe {

class OutputFile {
 public:
  // Starts `path`.part, over any that is there.
  static Result<OutputFile> Create(const std::string& path);
  OutputFile(OutputFile&& other) noexcept
      : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();  // removes what is not finished

  Status Append(std::span<const std::byte> bytes);
  // Renames it to `path`. REQUIRES: called once, last.
  Status Finish();

 private:
  OutputFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string PartPath() const { return path_ + ".part"; }

  std::string path_;
  int fd_;
};

}  // namespace flashmoe
