#include "engine/checkpoint_ends.h"

#include <algorithm>

#include "kernels/kernels.h"
#include "state/prefix_store.h"

namespace flashmoe {

// A pass can give its recurrent state where it has taken whole chunks.
static_assert(kPrefixUnit % kDeltaChunk == 0);

std::vector<int64_t> CheckpointEnds(std::vector<int64_t> wanted, int64_t known, int64_t length) {
  for (int64_t& end : wanted) end -= end % kPrefixUnit;
  std::erase_if(wanted, [&](int64_t end) { return end <= known || end >= length; });
  std::ranges::sort(wanted);
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  return wanted;
}

}  // namespace flashmoe
