// How long operations tell whoever drives them how far they are. The library never prints.
#pragma once

#include <cstdint>
#include <functional>

namespace flashmoe {

struct Progress {
  const char* stage = "";  // "loading", "writing", "reading prompt"
  uint64_t done = 0;       // of `total`, in the stage's unit (bytes or tokens)
  uint64_t total = 0;
  uint64_t bytes_read = 0;  // from the disk since the stage began, where that is told
};
using ProgressFn = std::function<void(const Progress&)>;

}  // namespace flashmoe
