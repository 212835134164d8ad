// Machines from nodes, and what can be said of two regular languages.
#pragma once

#include <optional>

#include "grammar/automaton.h"
#include "grammar/nfa.h"

namespace flashmoe::grammar {

// The texts between two nodes, as a machine that reads each byte in one way only (its calls may
// still be several); nullopt if that takes more than `states_max` states.
std::optional<Machine> Determinize(const Nfa& nfa, NodeId start, NodeId end, size_t states_max);

// The same texts with about as many states as nodes, but several ways for a byte. REQUIRES: no
// assertions.
Machine WithoutEmptyEdges(const Nfa& nfa, NodeId start, NodeId end);

// For deterministic machines without calls. nullopt: more than `states_max` states.
std::optional<Machine> Intersect(const Machine& a, const Machine& b, size_t states_max);
std::optional<Machine> Subtract(const Machine& a, const Machine& b, size_t states_max);
// Whether there is no text at all.
bool IsEmpty(const Machine& machine);
// Whether a machine without calls reads this text.
bool Matches(const Machine& machine, std::string_view text);

// Takes out the states that lead to no end; the first one stays.
void Trim(Machine& machine);

}  // namespace flashmoe::grammar
