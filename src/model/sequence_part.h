// How a pass is made up: tokens of several sequences, one after the other, and the blocks of them
// that mixers take at a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "state/sequence_state.h"

namespace flashmoe {

// What a caller hands over: the next tokens of one sequence.
struct PassSlice {
  std::span<const int32_t> tokens;
  SequenceState* state = nullptr;
};

// Tokens of a pass, or of a block of it, that belong to one sequence.
struct SequencePart {
  SequenceState* state = nullptr;
  int64_t first = 0;  // row of the first token in the buffers of the pass
  int64_t tokens = 0;
  int64_t position = 0;  // of the first token in the sequence
};

struct PassBlock {
  int64_t first = 0;  // row in the buffers of the pass
  int64_t tokens = 0;
  std::vector<SequencePart> parts;
};

std::vector<SequencePart> PartsOf(std::span<const PassSlice> slices);

// Blocks of at most `block_tokens` tokens. A sequence is cut at multiples of kDeltaChunk positions
// only, as prompts are. REQUIRES: block_tokens >= kDeltaChunk, or no part is longer than a block
// and begins within one.
std::vector<PassBlock> CutBlocks(std::span<const SequencePart> parts, int64_t block_tokens);

}  // namespace flashmoe
