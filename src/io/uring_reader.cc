#include <fmt/format.h>
#include <liburing.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <deque>
#include <limits>
#include <optional>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "io/errors.h"
#include "io/readers.h"
#include "io/transfer.h"

namespace flashmoe {
namespace {

constexpr int kDepthMax = 4096;
// Reads that are submitted by this thread itself. Beyond what the device's queue takes, which may
// be as little as this, submitting waits for the device; the kernel's workers can wait as well.
constexpr size_t kReadsInline = 64;
constexpr uint64_t kFixedBytesMax = uint64_t{1} << 30;  // the kernel's limit for one buffer
constexpr uint64_t kFixedBuffersMax = 1024;             // UIO_MAXIOV, the limit of older kernels

// Whether the system lets this process lock memory beyond RLIMIT_MEMLOCK.
bool MayLockAnything() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return false;
  return (data[0].effective & (1U << CAP_IPC_LOCK)) != 0;
}

bool MayLock(uint64_t bytes) {
  rlimit limit = {};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur >= bytes) return true;
  return MayLockAnything();
}

class UringReader final : public AsyncReader {
 public:
  // `ring` is set up; the reader owns it from here.
  UringReader(const io_uring& ring, const ReaderOptions& options);
  ~UringReader() override;  // requests that the kernel has not seen are dropped
  UringReader(const UringReader&) = delete;
  UringReader& operator=(const UringReader&) = delete;

  std::string_view name() const override { return direct_ ? "uring direct" : "uring"; }
  bool direct() const override { return direct_; }
  void Submit(const ReadRequest& request) override;
  void Flush() override;
  void Reap(bool wait, std::vector<ReadCompletion>& out) override;
  size_t in_flight() const override { return rejected_.size() + queued_.size() + at_kernel_; }

 private:
  void RegisterBuffers(std::span<std::byte> buffers);
  std::optional<int> FixedBufferOf(const Transfer& transfer) const;
  void StartQueued();
  void Prepare(uint32_t index);
  void Enter(bool wait);
  void Collect(std::vector<ReadCompletion>& out);

  io_uring ring_;
  __kernel_timespec patience_ = {.tv_sec = 0, .tv_nsec = std::lround(kReapSeconds * 1e9)};
  const bool direct_;
  std::span<std::byte> fixed_;  // registered memory, in pieces of kFixedBytesMax
  std::vector<std::optional<Transfer>> transfers_;  // [queue depth]
  std::vector<uint32_t> free_;                      // indices of empty transfers
  size_t at_kernel_ = 0;                            // full transfers
  std::deque<ReadRequest> queued_;                  // beyond the depth, in order
  std::vector<ReadCompletion> rejected_;            // failed before the kernel saw them
};

UringReader::UringReader(const io_uring& ring, const ReaderOptions& options)
    : ring_(ring), direct_(options.direct) {
  const auto depth = static_cast<uint32_t>(std::min(options.queue_depth, kDepthMax));
  transfers_.resize(depth);
  for (uint32_t i = depth; i > 0; --i) free_.push_back(i - 1);
  if (direct_) RegisterBuffers(options.buffers);
}

UringReader::~UringReader() {
  queued_.clear();
  std::vector<ReadCompletion> ignored;
  while (at_kernel_ > 0) Reap(/*wait=*/true, ignored);
  io_uring_queue_exit(&ring_);
}

// Saves the kernel from looking up the pages of each read. The limit is asked first, because the
// kernel takes a whole buffer's pages before it finds that they may not be locked.
void UringReader::RegisterBuffers(std::span<std::byte> buffers) {
  const uint64_t count = AlignUp(buffers.size(), kFixedBytesMax) / kFixedBytesMax;
  if (count == 0 || count > kFixedBuffersMax || !MayLock(buffers.size())) return;
  std::vector<iovec> pieces;
  for (uint64_t at = 0; at < buffers.size(); at += kFixedBytesMax) {
    pieces.push_back({buffers.data() + at, std::min(kFixedBytesMax, buffers.size() - at)});
  }
  if (io_uring_register_buffers(&ring_, pieces.data(), static_cast<unsigned>(pieces.size())) == 0) {
    fixed_ = buffers;
  }
}

std::optional<int> UringReader::FixedBufferOf(const Transfer& transfer) const {
  const auto begin = reinterpret_cast<uintptr_t>(transfer.target());
  const auto base = reinterpret_cast<uintptr_t>(fixed_.data());
  if (begin < base || begin + transfer.length() > base + fixed_.size()) return std::nullopt;
  const uint64_t first = (begin - base) / kFixedBytesMax;
  const uint64_t last = (begin - base + transfer.length() - 1) / kFixedBytesMax;
  if (first != last) return std::nullopt;
  return static_cast<int>(first);
}

void UringReader::Submit(const ReadRequest& request) {
  FM_CHECK(request.file != nullptr && request.bytes > 0);
  FM_CHECK(reinterpret_cast<uintptr_t>(request.dest) % kBlockBytes == 0);
  if (Status status = CheckRange(request); !status.has_value()) {
    rejected_.push_back({request.tag, std::move(status)});
    return;
  }
  queued_.push_back(request);
  StartQueued();
}

void UringReader::StartQueued() {
  while (!queued_.empty() && !free_.empty()) {
    const uint32_t index = free_.back();
    free_.pop_back();
    transfers_[index].emplace(queued_.front(), direct_);
    queued_.pop_front();
    ++at_kernel_;
    Prepare(index);
  }
}

void UringReader::Prepare(uint32_t index) {
  const Transfer& transfer = *transfers_[index];
  // The ring has at least as many entries as there are transfers, each of which has one at most.
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  FM_CHECK(sqe != nullptr);
  const auto length = static_cast<unsigned>(transfer.length());
  const std::optional<int> fixed = FixedBufferOf(transfer);
  if (fixed.has_value()) {
    io_uring_prep_read_fixed(sqe, transfer.fd(), transfer.target(), length, transfer.position(),
                             *fixed);
  } else {
    io_uring_prep_read(sqe, transfer.fd(), transfer.target(), length, transfer.position());
  }
  // A read that finds its bytes in the page cache would copy them within the submission, one read
  // after the other, while this thread waits; the kernel's workers copy side by side.
  if (!transfer.direct() || at_kernel_ > kReadsInline) io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
  io_uring_sqe_set_data64(sqe, index);
}

// Hands prepared entries over and, with `wait`, waits for a completion, for kReapSeconds at most.
void UringReader::Enter(bool wait) {
  io_uring_cqe* first = nullptr;
  while (true) {
    const int n = wait ? io_uring_submit_and_wait_timeout(&ring_, &first, 1, &patience_, nullptr)
                       : io_uring_submit(&ring_);
    if (n >= 0 || n == -ETIME) return;
    if (n == -EINTR) continue;
    // Out of memory for requests for the moment: what is at the kernel must finish first.
    FM_CHECK(n == -EAGAIN || n == -EBUSY || n == -ENOMEM);
    if (wait && io_uring_cq_ready(&ring_) == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return;
  }
}

void UringReader::Flush() {
  StartQueued();
  if (io_uring_sq_ready(&ring_) > 0) Enter(/*wait=*/false);
}

void UringReader::Reap(bool wait, std::vector<ReadCompletion>& out) {
  const size_t before = out.size();
  std::move(rejected_.begin(), rejected_.end(), std::back_inserter(out));
  rejected_.clear();
  Flush();
  Collect(out);
  const double until_s = NowSeconds() + kReapSeconds;
  while (wait && out.size() == before && at_kernel_ > 0 && NowSeconds() < until_s) {
    Enter(/*wait=*/true);
    Collect(out);
  }
  Flush();  // the rests of short reads, and queued requests in the places of finished ones
}

void UringReader::Collect(std::vector<ReadCompletion>& out) {
  io_uring_cqe* cqe = nullptr;
  while (io_uring_peek_cqe(&ring_, &cqe) == 0 && cqe != nullptr) {
    const auto index = static_cast<uint32_t>(io_uring_cqe_get_data64(cqe));
    const int result = cqe->res;
    io_uring_cqe_seen(&ring_, cqe);
    Transfer& transfer = *transfers_[index];
    if (!transfer.Take(result)) {
      Prepare(index);
      continue;
    }
    out.push_back(transfer.completion());
    transfers_[index].reset();
    free_.push_back(index);
    --at_kernel_;
  }
}

// Completions are taken when this thread looks for them. Otherwise each of them interrupts the
// processor that computes for it. Kernels before 5.19 do not know the flags. Returns an errno.
int InitRing(unsigned depth, io_uring& ring) {
  constexpr unsigned kWhenAsked = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
  if (io_uring_queue_init(depth, &ring, kWhenAsked) == 0) return 0;
  return -io_uring_queue_init(depth, &ring, 0);
}

// Whether the system lets this process use a ring, not only make one: a request that does nothing.
bool Works(io_uring& ring) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  if (sqe == nullptr) return false;
  io_uring_prep_nop(sqe);
  io_uring_cqe* cqe = nullptr;
  if (io_uring_submit_and_wait(&ring, 1) != 1 || io_uring_peek_cqe(&ring, &cqe) != 0) return false;
  io_uring_cqe_seen(&ring, cqe);
  return true;
}

bool CanRead(io_uring& ring) {
  io_uring_probe* probe = io_uring_get_probe_ring(&ring);
  if (probe == nullptr) return false;
  const bool can = io_uring_opcode_supported(probe, IORING_OP_READ) != 0;
  io_uring_free_probe(probe);
  return can;
}

}  // namespace

Result<std::unique_ptr<AsyncReader>> MakeUringReader(const ReaderOptions& options) {
  io_uring ring = {};
  const auto depth = static_cast<unsigned>(std::clamp(options.queue_depth, 1, kDepthMax));
  if (const int error = InitRing(depth, ring); error != 0) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("io_uring is not available: {}", ErrnoText(error)), {},
                "use --io pread, or allow io_uring (sysctl kernel.io_uring_disabled=0, and the "
                "container's seccomp profile)");
  }
  if (!Works(ring)) {
    io_uring_queue_exit(&ring);
    return Fail(ErrorCode::kUnsupported, "io_uring is there, but may not be used", {},
                "use --io pread, or allow io_uring_enter in the container's seccomp profile");
  }
  if (!CanRead(ring)) {
    io_uring_queue_exit(&ring);
    return Fail(ErrorCode::kUnsupported, "this kernel's io_uring cannot read files", {},
                "use --io pread, or a kernel of version 5.6 or later");
  }
  return std::make_unique<UringReader>(ring, options);
}

}  // namespace flashmoe
