// One request on its way to memory: which bytes to ask the system for next, and what its answer
// means. The rules for short reads, alignment and errors are here, once, for all readers that call
// read in some form.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"
#include "io/async_reader.h"

namespace flashmoe {

class Transfer {
 public:
  // `direct`: past the page cache if the file has a descriptor for that.
  Transfer(const ReadRequest& request, bool direct);

  // The next read to make: length() bytes at position() of fd() into target(). With direct() all
  // three are aligned to blocks, and the range covers the wanted one.
  int fd() const { return direct_ ? request_.file->direct_fd() : request_.file->fd(); }
  bool direct() const { return direct_; }
  uint64_t position() const { return position_; }
  std::byte* target() const { return target_; }
  size_t length() const;

  // Takes the result of that read (bytes, or -errno). True: the transfer is over, see completion().
  // False: go on with what the accessors say now.
  bool Take(int64_t result);

  // The request's tag and outcome, once Take() has returned true.
  ReadCompletion completion() const { return {request_.tag, status_}; }
  const ReadRequest& request() const { return request_; }

 private:
  bool TakeError(int error);
  void MoveTo(uint64_t position);
  uint64_t wanted_end() const { return request_.offset + request_.bytes; }

  ReadRequest request_;
  bool direct_;
  uint64_t position_ = 0;
  std::byte* target_ = nullptr;
  int retries_ = 0;  // in a row
  Status status_;
};

// Ranges that no file can have. Readers complete these at once with the error.
Status CheckRange(const ReadRequest& request);

}  // namespace flashmoe
