#include "io/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/memory.h"
#include "io/errors.h"

namespace flashmoe {
namespace {

std::unexpected<Error> OpenError(int error, const std::string& path) {
  const auto code = error == ENOENT || error == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kIo;
  std::string hint;
  if (code == ErrorCode::kNotFound) hint = "check the spelling of the path";
  if (error == EACCES) hint = "make the file readable for this user";
  if (error == EMFILE || error == ENFILE) hint = "raise the limit of open files (ulimit -n)";
  return Fail(code, fmt::format("cannot open the file: {}", ErrnoText(error)), path,
              std::move(hint));
}

std::string_view KindOf(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

// pread until `bytes` are there, the file ends or it fails. Returns what arrived, or -errno.
ssize_t ReadFully(int fd, std::byte* out, size_t bytes, uint64_t offset) {
  size_t done = 0;
  while (done < bytes) {
    const ssize_t n = pread(fd, out + done, bytes - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -errno;
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return static_cast<ssize_t>(done);
}

// A second descriptor of the same file that bypasses the page cache, or -1. Some file systems
// accept the flag and fail the reads, so one block is read to be sure.
int OpenDirect(const std::string& path, const struct stat& wanted) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT | O_NONBLOCK);
  if (fd < 0) return -1;
  struct stat found;
  const bool same = fstat(fd, &found) == 0 && found.st_dev == wanted.st_dev &&
                    found.st_ino == wanted.st_ino && fcntl(fd, F_SETFL, O_DIRECT) == 0;
  alignas(kPageBytes) std::byte block[kPageBytes];
  const auto expected = std::min<off_t>(wanted.st_size, kPageBytes);
  ssize_t n = -1;
  if (same) {
    do {
      n = pread(fd, block, sizeof block, 0);
    } while (n < 0 && errno == EINTR);
  }
  if (n == expected) return fd;
  close(fd);
  return -1;
}

}  // namespace

Result<std::shared_ptr<const File>> File::Open(const std::string& path) {
  if (path.find('\0') != std::string::npos) {
    return InvalidInput("a path with a zero byte in it", path);
  }
  // O_NONBLOCK: opening a pipe must not wait for its writer. Regular files do not keep it, since
  // io_uring would take it for a wish to fail instead of waiting for the device.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return OpenError(errno, path);
  std::shared_ptr<File> file(new File());
  file->path_ = path;
  file->fd_ = fd;
  struct stat info;
  if (fstat(fd, &info) != 0) return OpenError(errno, path);
  if (!S_ISREG(info.st_mode)) {
    return InvalidInput(fmt::format("this is {}, not a file", KindOf(info.st_mode)), path,
                        "give the path of a regular file");
  }
  if (fcntl(fd, F_SETFL, 0) != 0) return OpenError(errno, path);
  file->size_ = static_cast<uint64_t>(info.st_size);
  file->written_ = info.st_mtim;
  file->direct_fd_ = OpenDirect(path, info);
  return file;
}

File::~File() {
  if (fd_ >= 0) close(fd_);
  if (direct_fd_ >= 0) close(direct_fd_);
}

Status File::ReadAt(uint64_t offset, std::span<std::byte> out) const {
  // Offsets come from file headers; this also keeps them within off_t.
  if (offset > size_ || out.size() > size_ - offset) {
    return std::unexpected(EndsEarly(*this, offset, out.size(), size_));
  }
  const ssize_t n = ReadFully(fd_, out.data(), out.size(), offset);
  if (n < 0) return std::unexpected(ReadFailed(*this, offset, static_cast<int>(-n)));
  if (static_cast<size_t>(n) < out.size()) {
    return std::unexpected(EndsEarly(*this, offset, out.size(), offset + static_cast<uint64_t>(n)));
  }
  return CheckUnchanged(offset);
}

Status File::CheckUnchanged(uint64_t offset) const {
  struct stat info;
  if (fstat(fd_, &info) != 0) return std::unexpected(ReadFailed(*this, offset, errno));
  const bool same = static_cast<uint64_t>(info.st_size) == size_ &&
                    info.st_mtim.tv_sec == written_.tv_sec &&
                    info.st_mtim.tv_nsec == written_.tv_nsec;
  if (same) return {};
  return std::unexpected(ChangedInUse(*this, offset));
}

}  // namespace flashmoe
