// What the system keeps of files in memory that it has to spare.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "io/file.h"

namespace flashmoe {

// Whether the byte at `offset` can be had without the device. Brings nothing in.
bool InPageCache(const File& file, uint64_t offset);

// Bytes of the file that reads through the page cache would not have to fetch.
uint64_t CachedBytes(const File& file);

// Asks the system to forget the files' bytes, and where that does not do, and is permitted, all
// that it has cached of any file. Returns the bytes of them that stay all the same, such as those
// that another process has mapped.
uint64_t DropFromPageCache(std::span<const std::shared_ptr<const File>> files);

}  // namespace flashmoe
