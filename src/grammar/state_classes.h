// States that look alike for so many bytes that no short token can tell them apart: most places
// within a counted string are. They share masks.
#pragma once

#include <cstdint>
#include <vector>

#include "grammar/automaton.h"

namespace flashmoe::grammar {

// By state: equal numbers for states whose texts of up to `bytes` bytes, ends of rules and calls on
// the way are the same. (By hashes of 64 bits.)
std::vector<uint64_t> StateClasses(const Automaton& automaton, size_t bytes);

}  // namespace flashmoe::grammar
