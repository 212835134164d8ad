#include "grammar/state_classes.h"

namespace flashmoe::grammar {
namespace {

uint64_t Mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
  return hash ^ hash >> 29;
}

}  // namespace

std::vector<uint64_t> StateClasses(const Automaton& automaton, size_t bytes) {
  std::vector<uint64_t> classes(automaton.size()), longer(automaton.size());
  for (StateId s = 0; s < automaton.size(); ++s) {
    classes[s] = Mix(automaton.IsFinal(s) ? 3 : 5, automaton.height(s));
  }
  for (size_t round = 0; round < bytes; ++round) {
    for (StateId s = 0; s < automaton.size(); ++s) {
      uint64_t hash = Mix(automaton.IsFinal(s) ? 3 : 5, automaton.height(s));
      for (const ByteEdge& edge : automaton.bytes(s)) {
        hash = Mix(Mix(hash, edge.first * 256u + edge.last), classes[edge.target]);
      }
      for (const CallEdge& call : automaton.calls(s)) {
        // A rule that may be empty brings what comes after it as near as the rule itself; whether
        // that ends its rule at once decides whether the stack grows.
        const bool near = automaton.IsFinal(call.callee);
        const uint64_t after = near ? call.after : classes[call.after];
        hash = Mix(Mix(Mix(Mix(hash, call.callee), after), near), automaton.IsEnd(call.after));
      }
      longer[s] = hash;
    }
    classes.swap(longer);
  }
  return classes;
}

}  // namespace flashmoe::grammar
