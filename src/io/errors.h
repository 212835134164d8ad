// How failed reads are told, the same from every reader.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "io/file.h"

namespace flashmoe {

// The system's words for an errno value.
std::string ErrnoText(int error);

// The device or the system refused a read.
Error ReadFailed(const File& file, uint64_t offset, int error);

// The file has no byte at `end`, which is within the wanted range.
Error EndsEarly(const File& file, uint64_t offset, uint64_t bytes, uint64_t end);

// Somebody wrote to the file, or cut it, since it was opened.
Error ChangedInUse(const File& file, uint64_t offset);

}  // namespace flashmoe
