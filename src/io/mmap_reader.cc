// Reads through a mapping, as engines that map their model do.
//
// A plain copy from a mapping kills the process with SIGBUS when the file is cut meanwhile or the
// disk fails. process_vm_readv on the own process takes the same page faults and reports EFAULT
// instead. Bytes between the end of a cut file and its page's end read as zeros, so the size is
// looked at after each copy as well.
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/memory.h"
#include "io/errors.h"
#include "io/readers.h"
#include "io/worker_reader.h"

namespace flashmoe {
namespace {

// What is mapped counts as this process's memory, whole large folios at once. So a file is mapped
// window by window: reading one of any size stays inside a memory budget, and the page cache keeps
// what was read.
constexpr uint64_t kWindowBytes = 64 << 10;

class Mapping {
 public:
  // A part of a file; `first` is a multiple of kPageBytes. Null if the system refuses, with errno.
  Mapping(const File& file, uint64_t first, uint64_t bytes)
      : data_(mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.fd(), static_cast<off_t>(first))),
        bytes_(bytes) {}
  ~Mapping() {
    if (data_ != MAP_FAILED) munmap(data_, bytes_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  const std::byte* data() const {
    return data_ == MAP_FAILED ? nullptr : static_cast<const std::byte*>(data_);
  }

 private:
  void* data_;
  uint64_t bytes_;
};

// Copies within this process. Returns 0 or the errno of the fault that stopped it.
int CopyGuarded(const std::byte* from, std::byte* to, uint64_t bytes) {
  uint64_t done = 0;
  while (done < bytes) {
    const iovec local = {to + done, bytes - done};
    const iovec remote = {const_cast<std::byte*>(from + done), bytes - done};
    const ssize_t n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) return EFAULT;
    done += static_cast<uint64_t>(n);
  }
  return 0;
}

Status CopyWindow(const File& file, uint64_t offset, std::byte* to, uint64_t bytes) {
  const uint64_t first = AlignDown(offset, kPageBytes);
  const Mapping mapping(file, first, offset + bytes - first);
  if (mapping.data() == nullptr) {
    return Fail(ErrorCode::kIo, fmt::format("cannot map the file: {}", ErrnoText(errno)),
                file.path(), "read it with --io uring or --io pread");
  }
  const int error = CopyGuarded(mapping.data() + (offset - first), to, bytes);
  if (error == 0) return {};
  // A fault in a file that is long enough is the device's.
  return std::unexpected(ReadFailed(file, offset, error == EFAULT ? EIO : error));
}

// Whether the file, as it is now, holds the wanted range.
Status CheckLength(const ReadRequest& request) {
  struct stat info;
  if (fstat(request.file->fd(), &info) != 0) {
    return std::unexpected(ReadFailed(*request.file, request.offset, errno));
  }
  const auto size = static_cast<uint64_t>(info.st_size);
  if (size >= request.offset + request.bytes) return {};
  return std::unexpected(EndsEarly(*request.file, request.offset, request.bytes, size));
}

Status ReadByMapping(const ReadRequest& request) {
  FM_RETURN_IF_ERROR(CheckLength(request));
  std::byte* to = request.dest + request.offset % kBlockBytes;
  Status status;
  for (uint64_t done = 0; done < request.bytes && status.has_value(); done += kWindowBytes) {
    const uint64_t part = std::min(request.bytes - done, kWindowBytes);
    status = CopyWindow(*request.file, request.offset + done, to + done, part);
  }
  FM_RETURN_IF_ERROR(CheckLength(request));  // the better explanation of a fault
  FM_RETURN_IF_ERROR(status);
  return request.file->CheckUnchanged(request.offset);
}

}  // namespace

Result<std::unique_ptr<AsyncReader>> MakeMmapReader(const ReaderOptions& options) {
  const std::byte from{1};
  std::byte to{0};
  if (const int error = CopyGuarded(&from, &to, 1); error != 0) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("mapped reads need process_vm_readv, which failed: {}", ErrnoText(error)), {},
        "use --io pread, or allow this call in the container's seccomp profile");
  }
  return WorkerReader::Make("mmap", false, WorkersFor(options.queue_depth), ReadByMapping);
}

}  // namespace flashmoe
