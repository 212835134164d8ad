#include "format/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "base/units.h"

namespace flashmoe {
namespace {

constexpr uint64_t kFlushBytes = uint64_t{64} << 20;

std::unexpected<Error> OsError(std::string_view what, int error, const std::string& path) {
  return Fail(ErrorCode::kIo, fmt::format("{}: {}", what, std::generic_category().message(error)),
              path, error == ENOSPC ? "make room on the volume" : "");
}

}  // namespace

Result<OutputFile> OutputFile::Create(const std::string& path) { return Open(path, O_TRUNC, 0644); }

// One that was left there may be open to others.
Result<OutputFile> OutputFile::CreatePrivate(const std::string& path) {
  unlink((path + ".part").c_str());
  return Open(path, O_EXCL, 0600);
}

Result<OutputFile> OutputFile::Open(const std::string& path, int flags, unsigned mode) {
  const std::string part = path + ".part";
  const int fd = open(part.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, mode);
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
    written_ += static_cast<uint64_t>(n);
  }
  if (written_ >= flushing_ + kFlushBytes) LetGoOfPages();
  return {};
}

Status OutputFile::Reserve(uint64_t bytes) {
  if (fallocate(fd_, 0, 0, static_cast<off_t>(bytes)) == 0) return {};
  if (errno == ENOSPC || errno == EFBIG || errno == EDQUOT) {
    const int error = errno;
    return OsError(fmt::format("no room for {}", FormatBytes(bytes)), error, PartPath());
  }
  return {};
}

// Starts to write the newest part and drops the one before, once the disk has it. Both are advice:
// failures show at the next write.
void OutputFile::LetGoOfPages() {
  const auto begin = static_cast<off_t>(flushing_);
  const auto bytes = static_cast<off_t>(written_ - flushing_);
  sync_file_range(fd_, begin, bytes, SYNC_FILE_RANGE_WRITE);
  if (begin > 0) {
    const auto last = begin - static_cast<off_t>(std::min<uint64_t>(flushing_, 2 * kFlushBytes));
    sync_file_range(
        fd_, last, begin - last,
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    posix_fadvise(fd_, last, begin - last, POSIX_FADV_DONTNEED);
  }
  flushing_ = written_;
}

Status OutputFile::Sync() {
  if (fdatasync(fd_) == 0) return {};
  const int error = errno;
  return OsError("cannot write the file to the disk", error, PartPath());
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
