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
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "base/memory.h"
#include "io/errors.h"
#include "io/readers.h"
#include "io/worker_reader.h"

namespace flashmoe {
namespace {

class Mapping {
 public:
  Mapping(std::byte* data, uint64_t size) : data_(data), size_(size) {}
  ~Mapping() { munmap(data_, size_); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  const std::byte* data() const { return data_; }
  uint64_t size() const { return size_; }

 private:
  std::byte* data_;
  uint64_t size_;
};

// The mappings of all files read so far, by device and inode: a mapping keeps its inode, so that
// the key cannot come to mean another file. Any thread.
class Mappings {
 public:
  Result<std::shared_ptr<const Mapping>> Get(const File& file, const struct stat& info) {
    const auto size = static_cast<uint64_t>(info.st_size);
    std::lock_guard lock(mutex_);
    std::shared_ptr<const Mapping>& mapping = by_inode_[{info.st_dev, info.st_ino}];
    // A file that has grown is mapped anew.
    if (mapping != nullptr && mapping->size() >= size) return mapping;
    void* data = mmap(nullptr, size, PROT_READ, MAP_SHARED, file.fd(), 0);
    if (data == MAP_FAILED) {
      return Fail(ErrorCode::kIo, fmt::format("cannot map the file: {}", ErrnoText(errno)),
                  file.path(), "read it with --io uring or --io pread");
    }
    mapping = std::make_shared<const Mapping>(static_cast<std::byte*>(data), size);
    return mapping;
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<dev_t, ino_t>, std::shared_ptr<const Mapping>> by_inode_;
};

// Pages that a copy has touched count as this process's memory until they are unmapped again. They
// are let go after each window, so that reading a file of any size stays inside a memory budget;
// the page cache keeps them. A fault may map as much around it as a large folio holds.
constexpr uint64_t kWindowBytes = 256 << 10;
constexpr uint64_t kFolioBytesMax = 2 << 20;

void LetGo(const Mapping& mapping, uint64_t offset, uint64_t bytes) {
  const uint64_t first = AlignDown(offset, kFolioBytesMax);
  const uint64_t end = std::min(AlignUp(offset + bytes, kFolioBytesMax), mapping.size());
  madvise(const_cast<std::byte*>(mapping.data()) + first, end - first, MADV_DONTNEED);
}

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

int CopyByWindows(const Mapping& mapping, uint64_t offset, std::byte* to, uint64_t bytes) {
  for (uint64_t done = 0; done < bytes;) {
    const uint64_t part = std::min(bytes - done, kWindowBytes);
    const int error = CopyGuarded(mapping.data() + offset + done, to + done, part);
    LetGo(mapping, offset + done, part);
    if (error != 0) return error;
    done += part;
  }
  return 0;
}

// The file's state now. An error if it does not hold the wanted range.
Result<struct stat> StatCovering(const ReadRequest& request) {
  struct stat info;
  if (fstat(request.file->fd(), &info) != 0) {
    return std::unexpected(ReadFailed(*request.file, request.offset, errno));
  }
  const auto size = static_cast<uint64_t>(info.st_size);
  if (size < request.offset + request.bytes) {
    return std::unexpected(EndsEarly(*request.file, request.offset, request.bytes, size));
  }
  return info;
}

Status ReadByMapping(const ReadRequest& request, Mappings& mappings) {
  FM_ASSIGN_OR_RETURN(const struct stat info, StatCovering(request));
  FM_ASSIGN_OR_RETURN(const std::shared_ptr<const Mapping> mapping,
                      mappings.Get(*request.file, info));
  const int error = CopyByWindows(*mapping, request.offset,
                                  request.dest + request.offset % kBlockBytes, request.bytes);
  if (auto after = StatCovering(request); !after) return std::unexpected(after.error());
  // A fault in a file that is long enough is the device's.
  if (error != 0) {
    return std::unexpected(
        ReadFailed(*request.file, request.offset, error == EFAULT ? EIO : error));
  }
  return {};
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
  return WorkerReader::Make("mmap", false, WorkersFor(options.queue_depth),
                            [mappings = std::make_shared<Mappings>()](const ReadRequest& request) {
                              return ReadByMapping(request, *mappings);
                            });
}

}  // namespace flashmoe
