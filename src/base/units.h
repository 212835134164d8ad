// Sizes as people write them. GB = 10^9 bytes, GiB = 2^30 bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace flashmoe {

// Parses "6GiB", "512 MiB", "1.5GB", "800k", "4096". K, M, G, T alone are decimal, with "iB" or "i"
// binary; case does not matter.
Result<uint64_t> ParseBytes(std::string_view text);

// "24.7 MB": metric, three significant digits.
std::string FormatBytes(uint64_t bytes);

}  // namespace flashmoe
