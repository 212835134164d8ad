#include "model/sequence_part.h"

#include <algorithm>

#include "kernels/kernels.h"

namespace flashmoe {

std::vector<SequencePart> PartsOf(std::span<const PassSlice> slices) {
  std::vector<SequencePart> parts;
  int64_t first = 0;
  for (const PassSlice& slice : slices) {
    const auto tokens = static_cast<int64_t>(slice.tokens.size());
    parts.push_back({slice.state, first, tokens, slice.state->position()});
    first += tokens;
  }
  return parts;
}

std::vector<PassBlock> CutBlocks(std::span<const SequencePart> parts, int64_t block_tokens) {
  std::vector<PassBlock> blocks(1);
  for (SequencePart rest : parts) {
    while (rest.tokens > 0) {
      const int64_t room = block_tokens - blocks.back().tokens;
      const int64_t cut = room - (rest.position + room) % kDeltaChunk;
      const int64_t tokens = rest.tokens <= room ? rest.tokens : std::max<int64_t>(cut, 0);
      if (tokens == 0) {
        blocks.push_back({.first = rest.first, .tokens = 0, .parts = {}});
        continue;
      }
      PassBlock& block = blocks.back();
      block.parts.push_back({rest.state, rest.first, tokens, rest.position});
      block.tokens += tokens;
      rest.first += tokens;
      rest.position += tokens;
      rest.tokens -= tokens;
    }
  }
  return blocks;
}

}  // namespace flashmoe
