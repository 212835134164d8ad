#include "format/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace flashmoe {
namespace {

std::unexpected<Error> OsError(const char* what, int error, const std::string& path) {
  return Fail(ErrorCode::kIo, fmt::format("{}: {}", what, std::generic_category().message(error)),
              path, error == ENOSPC ? "make room on the volume" : "");
}

}  // namespace

Result<OutputFile> OutputFile::Create(const std::string& path) {
  const std::string part = path + ".part";
  const int fd = open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return OsError("cannot create the file", errno, part);
  return OutputFile(path, fd);
}

OutputFile::~OutputFile() {
  if (fd_ < 0) return;
  close(fd_);
  unlink(PartPath().c_str());
}

Status OutputFile::Append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return OsError("write failed", errno, PartPath());
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return {};
}

Status OutputFile::Finish() {
  // The last errors of some file systems only show here.
  if (close(std::exchange(fd_, -1)) != 0 || std::rename(PartPath().c_str(), path_.c_str()) != 0) {
    const int error = errno;
    unlink(PartPath().c_str());
    return OsError("cannot finish the file", error, path_);
  }
  return {};
}

}  // namespace flashmoe
