// How a pass is made up: tokens of several sequences, one after the other, and the blocks of them
// that mixers take at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "state/sequence_state.h"

namespace flashmoe {

// Where a pass copies a sequence's recurrent state to as it is at `position`, a multiple of
// kDeltaChunk. See SequenceState::CopyRecurrent.
struct RecurrentCopy {
  int64_t position = 0;
  std::span<std::byte> to;
};

// What a caller hands over: the next tokens of one sequence.
struct PassSlice {
  std::span<const int32_t> tokens;
  SequenceState* state = nullptr;
  std::span<const RecurrentCopy> copies = {};  // ascending, within the slice or at its end
};

// Tokens of a pass, or of a block of it, that belong to one sequence.
struct SequencePart {
  SequenceState* state = nullptr;
  int64_t first = 0;  // row of the first token in the buffers of the pass
  int64_t tokens = 0;
  int64_t position = 0;                        // of the first token in the sequence
  std::span<const RecurrentCopy> copies = {};  // of a block: for its end alone, or none
};

struct PassBlock {
  int64_t first = 0;  // row in the buffers of the pass
  int64_t tokens = 0;
  std::vector<SequencePart> parts;
};

std::vector<SequencePart> PartsOf(std::span<const PassSlice> slices);

// Blocks of at most `block_tokens` tokens. A sequence is cut at multiples of kDeltaChunk positions
// only, as prompts are, and there where its recurrent state is to be copied. REQUIRES: block_tokens
// >= kDeltaChunk, or no part is longer than a block and begins within one.
std::vector<PassBlock> CutBlocks(std::span<const SequencePart> parts, int64_t block_tokens);

}  // namespace flashmoe
