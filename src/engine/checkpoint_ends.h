// Where a prompt may be kept: checkpoints lie at multiples of kPrefixUnit positions.
#pragma once

#include <cstdint>
#include <vector>

namespace flashmoe {

// Of the lengths that are wanted, rounded down, those beyond what is `known` and before the end of
// a prompt of `length` tokens; ascending, each once.
std::vector<int64_t> CheckpointEnds(std::vector<int64_t> wanted, int64_t known, int64_t length);

}  // namespace flashmoe
