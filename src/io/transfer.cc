#include "io/transfer.h"

#include <algorithm>
#include <cerrno>
#include <limits>

#include "io/errors.h"

namespace flashmoe {
namespace {

// The kernel moves at most 2 GiB less a page in one call; this is block-aligned and below it.
constexpr uint64_t kReadBytesMax = uint64_t{1} << 30;

// "Try again" without end would be a hang.
constexpr int kRetriesMax = 1000;

}  // namespace

Transfer::Transfer(const ReadRequest& request, bool direct)
    : request_(request), direct_(direct && request.file->direct_fd() >= 0) {
  MoveTo(direct_ ? AlignDown(request.offset, kBlockBytes) : request.offset);
}

void Transfer::MoveTo(uint64_t position) {
  position_ = position;
  target_ = request_.dest + (position - AlignDown(request_.offset, kBlockBytes));
}

size_t Transfer::length() const {
  const uint64_t end = direct_ ? AlignUp(wanted_end(), kBlockBytes) : wanted_end();
  return static_cast<size_t>(std::min(end - position_, kReadBytesMax));
}

bool Transfer::Take(int64_t result) {
  if (result < 0) return TakeError(static_cast<int>(-result));
  retries_ = 0;
  const uint64_t arrived = position_ + static_cast<uint64_t>(result);
  if (arrived >= wanted_end()) {
    status_ = request_.file->CheckUnchanged(request_.offset);
    return true;
  }
  if (!direct_) {
    if (result == 0) {
      status_ =
          std::unexpected(EndsEarly(*request_.file, request_.offset, request_.bytes, arrived));
      return true;
    }
    MoveTo(arrived);
    return false;
  }
  // A direct read goes on at a block. One that did not finish a block has met the end of the file
  // or a device with other blocks: the page cache knows which.
  const uint64_t next = AlignDown(arrived, kBlockBytes);
  if (next == position_) {
    direct_ = false;
    MoveTo(std::max(next, request_.offset));
  } else {
    MoveTo(next);
  }
  return false;
}

bool Transfer::TakeError(int error) {
  const bool transient = error == EINTR || error == EAGAIN || error == ECANCELED;
  if (transient && ++retries_ <= kRetriesMax) return false;
  if (error == EINVAL && direct_) {  // an alignment that this device does not take
    direct_ = false;
    MoveTo(std::max(position_, request_.offset));
    return false;
  }
  status_ =
      std::unexpected(ReadFailed(*request_.file, std::max(position_, request_.offset), error));
  return true;
}

Status CheckRange(const ReadRequest& request) {
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max() - kBlockBytes;
  if (request.offset <= kMax && request.bytes <= kMax - request.offset) return {};
  return std::unexpected(
      EndsEarly(*request.file, request.offset, request.bytes, request.file->size()));
}

}  // namespace flashmoe
