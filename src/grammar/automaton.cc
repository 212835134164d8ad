#include "grammar/automaton.h"

#include <algorithm>

namespace flashmoe::grammar {
namespace {

// Who leads to a state, by a byte or by a call that names it as callee or as `after`.
struct Callers {
  struct Entry {
    StateId from;
    int32_t call;  // index into the calls; -1: a byte
  };
  std::vector<uint32_t> begin;
  std::vector<Entry> entries;

  std::span<const Entry> of(StateId s) const {
    return {entries.data() + begin[s], entries.data() + begin[s + 1]};
  }
};

template <typename Visit>
void ForEachEdge(const Automaton& a, Visit visit) {
  int32_t call = 0;
  for (StateId s = 0; s < a.size(); ++s) {
    for (const ByteEdge& edge : a.bytes(s)) visit(edge.target, s, -1);
    for (const CallEdge& edge : a.calls(s)) {
      visit(edge.callee, s, call);
      visit(edge.after, s, call++);
    }
  }
}

Callers CallersOf(const Automaton& a) {
  Callers callers;
  callers.begin.assign(a.size() + 2, 0);
  ForEachEdge(a, [&](StateId to, StateId, int32_t) { ++callers.begin[to + 2]; });
  for (size_t i = 2; i < callers.begin.size(); ++i) callers.begin[i] += callers.begin[i - 1];
  callers.entries.resize(callers.begin.back());
  ForEachEdge(a, [&](StateId to, StateId from, int32_t call) {
    callers.entries[callers.begin[to + 1]++] = {from, call};
  });
  callers.begin.pop_back();
  return callers;
}

}  // namespace

Automaton::Automaton(const std::vector<Machine>& rules, RuleId root, int stack_depth)
    : stack_depth_(stack_depth) {
  Link(rules, root);
  ComputeHeights();
  DropEndlessWays();
}

void Automaton::Link(const std::vector<Machine>& rules, RuleId root) {
  std::vector<StateId> first(rules.size());
  StateId next = 0;
  for (size_t r = 0; r < rules.size(); ++r) {
    first[r] = next;
    next += static_cast<StateId>(rules[r].states.size());
  }
  start_ = first[root];
  for (size_t r = 0; r < rules.size(); ++r) {
    for (const Machine::State& state : rules[r].states) {
      bytes_begin_.push_back(static_cast<uint32_t>(bytes_.size()));
      calls_begin_.push_back(static_cast<uint32_t>(calls_.size()));
      for (ByteEdge edge : state.bytes) {
        edge.target += first[r];
        bytes_.push_back(edge);
      }
      for (const CallEdge& edge : state.calls) {
        calls_.push_back({first[edge.callee], edge.after + first[r]});
      }
      final_.push_back(state.final);
    }
  }
  bytes_begin_.push_back(static_cast<uint32_t>(bytes_.size()));
  calls_begin_.push_back(static_cast<uint32_t>(calls_.size()));
}

// Level by level: a state is settled with the first level at which one of its ways is.
void Automaton::ComputeHeights() {
  heights_.assign(size(), kNever);
  const Callers callers = CallersOf(*this);
  std::vector<StateId> now, later;
  for (StateId s = 0; s < size(); ++s) {
    if (IsFinal(s)) now.push_back(s);
  }
  for (Height level = 0; !now.empty() && level < kNever - 1; ++level) {
    while (!now.empty()) {
      const StateId s = now.back();
      now.pop_back();
      if (heights_[s] != kNever) continue;
      heights_[s] = level;
      for (const Callers::Entry& entry : callers.of(s)) {
        if (heights_[entry.from] != kNever) continue;
        if (entry.call < 0) {
          now.push_back(entry.from);
          continue;
        }
        const CallEdge& call = calls_[static_cast<size_t>(entry.call)];
        if (heights_[call.callee] == kNever || heights_[call.after] == kNever) continue;
        const bool nests = heights_[call.callee] == level && !IsEnd(call.after);
        (nests ? later : now).push_back(entry.from);
      }
    }
    now.swap(later);
  }
}

void Automaton::DropEndlessWays() {
  size_t bytes = 0, calls = 0;
  for (StateId s = 0; s < size(); ++s) {
    const auto old_bytes = this->bytes(s);
    const auto old_calls = this->calls(s);
    bytes_begin_[s] = static_cast<uint32_t>(bytes);
    calls_begin_[s] = static_cast<uint32_t>(calls);
    for (const ByteEdge& edge : old_bytes) {
      if (heights_[edge.target] != kNever) bytes_[bytes++] = edge;
    }
    for (const CallEdge& edge : old_calls) {
      if (heights_[edge.callee] != kNever && heights_[edge.after] != kNever) calls_[calls++] = edge;
    }
    plain_.push_back(!IsFinal(s) && calls == calls_begin_[s]);
  }
  bytes_begin_[size()] = static_cast<uint32_t>(bytes);
  calls_begin_[size()] = static_cast<uint32_t>(calls);
  bytes_.resize(bytes);
  calls_.resize(calls);
}

}  // namespace flashmoe::grammar
