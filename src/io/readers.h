// The readers behind MakeReader(), one file each.
#pragma once

#include <memory>

#include "base/status.h"
#include "io/async_reader.h"

namespace flashmoe {

// io_uring: up to queue_depth reads at the kernel. An error where the system forbids it.
Result<std::unique_ptr<AsyncReader>> MakeUringReader(const ReaderOptions& options);

// Threads that call pread.
Result<std::unique_ptr<AsyncReader>> MakePreadReader(const ReaderOptions& options);

// Threads that copy from a mapping of the file, page fault by page fault: the baseline. Files are
// mapped when first read and stay mapped until the reader goes.
Result<std::unique_ptr<AsyncReader>> MakeMmapReader(const ReaderOptions& options);

}  // namespace flashmoe
