#include "model/sequence_part.h"

#include <algorithm>

#include "kernels/kernels.h"

namespace flashmoe {

std::vector<SequencePart> PartsOf(std::span<const PassSlice> slices) {
  std::vector<SequencePart> parts;
  int64_t first = 0;
  for (const PassSlice& slice : slices) {
    const auto tokens = static_cast<int64_t>(slice.tokens.size());
    parts.push_back({slice.state, first, tokens, slice.state->position(), slice.copies});
    first += tokens;
  }
  return parts;
}

std::vector<PassBlock> CutBlocks(std::span<const SequencePart> parts, int64_t block_tokens) {
  std::vector<PassBlock> blocks(1);
  for (SequencePart rest : parts) {
    while (rest.tokens > 0) {
      const int64_t room = block_tokens - blocks.back().tokens;
      const bool copies = !rest.copies.empty();
      const int64_t wanted = copies ? rest.copies[0].position - rest.position : rest.tokens;
      const int64_t cut = room - (rest.position + room) % kDeltaChunk;
      const int64_t tokens = wanted <= room ? wanted : std::max<int64_t>(cut, 0);
      if (tokens == 0) {
        blocks.push_back({.first = rest.first, .tokens = 0, .parts = {}});
        continue;
      }
      PassBlock& block = blocks.back();
      SequencePart part = rest;
      part.tokens = tokens;
      part.copies = copies && tokens == wanted ? rest.copies.first(1) : rest.copies.first(0);
      block.parts.push_back(part);
      block.tokens += tokens;
      rest.copies = rest.copies.subspan(part.copies.size());
      rest.first += tokens;
      rest.position += tokens;
      rest.tokens -= tokens;
      // The states of a layer go on block by block.
      if (!part.copies.empty() && rest.tokens > 0) {
        blocks.push_back({.first = rest.first, .tokens = 0, .parts = {}});
      }
    }
  }
  return blocks;
}

}  // namespace flashmoe
