// A file that appears under its name only when it is complete.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "base/status.h"

namespace flashmoe {

class OutputFile {
 public:
  // Starts `path`.part, over any that is there.
  static Result<OutputFile> Create(const std::string& path);
  // The same for a file that nobody but its owner may read.
  static Result<OutputFile> CreatePrivate(const std::string& path);
  OutputFile(OutputFile&& other) noexcept
      : path_(std::move(other.path_)),
        fd_(std::exchange(other.fd_, -1)),
        written_(other.written_),
        flushing_(other.flushing_) {}
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();  // removes what is not finished

  // Takes the room for a file of so many bytes at once, so that a full disk is noticed before
  // anything is written. Does nothing where the file system cannot.
  Status Reserve(uint64_t bytes);
  // What has been written is handed to the disk and leaves the page cache piece by piece, so that
  // large files push nothing else out.
  Status Append(std::span<const std::byte> bytes);
  // What has been written survives a loss of power from here on.
  Status Sync();
  // Renames it to `path`. REQUIRES: called once, last.
  Status Finish();

 private:
  OutputFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  static Result<OutputFile> Open(const std::string& path, int flags, unsigned mode);
  std::string PartPath() const { return path_ + ".part"; }
  void LetGoOfPages();

  std::string path_;
  int fd_;
  uint64_t written_ = 0;
  uint64_t flushing_ = 0;  // bytes that are on their way to the disk or there
};

}  // namespace flashmoe
