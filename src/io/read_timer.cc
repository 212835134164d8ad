#include "io/read_timer.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "io/page_cache.h"

namespace flashmoe {
namespace {

constexpr int kUncachedTries = 16;

}  // namespace

ReadTimer::ReadTimer(const File& file, uint64_t read_bytes, Memory memory)
    : file_(&file),
      read_bytes_(read_bytes),
      memory_(std::move(memory)),
      places_(memory_.size() / read_bytes) {}

Result<ReadTimer> ReadTimer::Create(const File& file, uint64_t read_bytes, uint64_t buffer_bytes) {
  const uint64_t places = std::max<uint64_t>(buffer_bytes / read_bytes, 1);
  FM_ASSIGN_OR_RETURN(Memory memory, Memory::Allocate(places * read_bytes));
  // The pages are there before the clock runs.
  for (uint64_t at = 0; at < memory.size(); at += kPageBytes) memory.data()[at] = std::byte{1};
  return ReadTimer(file, read_bytes, std::move(memory));
}

Status ReadTimer::Submit(AsyncReader& reader) {
  uint64_t offset = RandomOffset();
  if (!reader.direct()) {
    // What the page cache holds already says nothing about the device.
    int tries = 1;
    while (tries++ < kUncachedTries && MiddleInPageCache(offset)) offset = RandomOffset();
    if (MiddleInPageCache(offset)) return Fail(ErrorCode::kIo, "the page cache holds the file");
  }
  std::byte* dest = memory_.data() + next_place_++ % places_ * read_bytes_;
  reader.Submit({file_, offset, read_bytes_, dest, offset});
  started_bytes_ += read_bytes_;
  return {};
}

uint64_t ReadTimer::RandomOffset() {
  const uint64_t blocks = (file_->size() - read_bytes_) / kBlockBytes;
  return random_() % (blocks + 1) * kBlockBytes;
}

bool ReadTimer::MiddleInPageCache(uint64_t offset) const {
  return InPageCache(*file_, offset + read_bytes_ / 2);
}

Status ReadTimer::Reap(AsyncReader& reader, bool wait) {
  done_.clear();
  reader.Reap(wait, done_);
  for (ReadCompletion& completion : done_) {
    FM_RETURN_IF_ERROR(std::move(completion.status));
    if (reader.direct()) continue;  // others are left the page cache as it was
    posix_fadvise(file_->fd(), static_cast<off_t>(completion.tag), static_cast<off_t>(read_bytes_),
                  POSIX_FADV_DONTNEED);
  }
  return {};
}

Result<TimedBytes> ReadTimer::Run(AsyncReader& reader, int depth, double seconds) {
  for (int i = 0; i < depth; ++i) FM_RETURN_IF_ERROR(Submit(reader));
  const double begin_s = NowSeconds();
  double start_s = 0, last_s = 0, now_s = begin_s;
  uint64_t reads = 0, warm_up = 0;
  do {
    FM_RETURN_IF_ERROR(Reap(reader, /*wait=*/true));
    now_s = NowSeconds();
    if (done_.empty()) continue;
    last_s = now_s;
    if (start_s == 0) {
      start_s = last_s;
      warm_up = done_.size();
    } else {
      reads += done_.size();
    }
    for (size_t i = 0; i < done_.size(); ++i) FM_RETURN_IF_ERROR(Submit(reader));
    reader.Flush();
  } while (now_s - begin_s < seconds);
  FM_RETURN_IF_ERROR(Drain(reader));
  if (reads == 0) {  // a slow disk: count everything
    reads = warm_up + static_cast<uint64_t>(depth);
    last_s = NowSeconds();
    start_s = begin_s;
  }
  return TimedBytes{reads * read_bytes_, std::max(last_s - start_s, 1e-6)};
}

Status ReadTimer::Continue(AsyncReader& reader, int depth, uint64_t bytes) {
  FM_RETURN_IF_ERROR(Reap(reader, /*wait=*/false));
  while (started_bytes_ < bytes && reader.in_flight() < static_cast<size_t>(depth)) {
    FM_RETURN_IF_ERROR(Submit(reader));
  }
  reader.Flush();
  return {};
}

Status ReadTimer::Drain(AsyncReader& reader) {
  while (reader.in_flight() > 0) FM_RETURN_IF_ERROR(Reap(reader, /*wait=*/true));
  started_bytes_ = 0;
  return {};
}

Result<double> ReadTimer::RunOne(AsyncReader& reader) {
  const double start_s = NowSeconds();
  FM_RETURN_IF_ERROR(Submit(reader));
  FM_RETURN_IF_ERROR(Drain(reader));
  return NowSeconds() - start_s;
}

}  // namespace flashmoe
