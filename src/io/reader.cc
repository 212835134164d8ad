// Which reader a name or an option means.
#include <fmt/format.h>

#include "io/async_reader.h"
#include "io/readers.h"

namespace flashmoe {

Result<ReaderKind> ReaderKindFromName(std::string_view name) {
  if (name == "auto") return ReaderKind::kAuto;
  if (name == "uring") return ReaderKind::kUring;
  if (name == "pread") return ReaderKind::kPread;
  if (name == "mmap") return ReaderKind::kMmap;
  return InvalidInput(fmt::format("there is no reader \"{}\"", name), {},
                      "choose auto, uring, pread or mmap");
}

Result<std::unique_ptr<AsyncReader>> MakeReader(const ReaderOptions& options) {
  if (options.queue_depth < 1) {
    return InvalidInput(fmt::format("a queue depth of {}", options.queue_depth), {},
                        "give at least 1");
  }
  switch (options.kind) {
    case ReaderKind::kUring:
      return MakeUringReader(options);
    case ReaderKind::kPread:
      return MakePreadReader(options);
    case ReaderKind::kMmap:
      return MakeMmapReader(options);
    case ReaderKind::kAuto:
      break;
  }
  auto uring = MakeUringReader(options);
  return uring.has_value() ? std::move(uring) : MakePreadReader(options);
}

}  // namespace flashmoe
