#include "io/errors.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace flashmoe {

std::string ErrnoText(int error) {
  char buffer[128];
  return strerror_r(error, buffer, sizeof buffer);  // the GNU variant, which returns the text
}

Error ReadFailed(const File& file, uint64_t offset, int error) {
  const char* hint = error == EIO ? "the disk reports a fault: check it and the kernel log"
                                  : "check the disk and the kernel log";
  return {ErrorCode::kIo, fmt::format("read failed: {}", ErrnoText(error)),
          fmt::format("{}, byte {}", file.path(), offset), hint};
}

Error EndsEarly(const File& file, uint64_t offset, uint64_t bytes, uint64_t end) {
  return {ErrorCode::kIo,
          fmt::format("{} bytes wanted, but the file ends early, at byte {}", bytes, end),
          fmt::format("{}, byte {}", file.path(), offset),
          "the file is incomplete or was cut while in use: download or copy it again"};
}

Error ChangedInUse(const File& file, uint64_t offset) {
  return {ErrorCode::kIo, "the file was changed while in use",
          fmt::format("{}, byte {}", file.path(), offset),
          "start again when nobody writes to it any more; to replace a model that is in use, move "
          "the new file over the old one"};
}

}  // namespace flashmoe
