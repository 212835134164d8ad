// Steps by table, for walks over whole vocabularies: most bytes lead from one plain state to
// another and touch no stack.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "grammar/automaton.h"

namespace flashmoe::grammar {

class DenseSteps {
 public:
  static constexpr StateId kNowhere = UINT32_MAX;   // no edge
  static constexpr StateId kElse = UINT32_MAX - 1;  // ask the Stepper

  explicit DenseSteps(const Automaton& automaton)
      : automaton_(automaton), row_of_(automaton.size(), kNoRow) {}

  // Where a byte leads from a state whose calls and end do not matter (it is one of a set).
  StateId Next(StateId state, uint8_t byte) {
    if (row_of_[state] == kNoRow) AddRow(state);
    return rows_[row_of_[state]][byte];
  }

 private:
  static constexpr uint32_t kNoRow = UINT32_MAX;

  void AddRow(StateId state) {
    row_of_[state] = static_cast<uint32_t>(rows_.size());
    auto& row = rows_.emplace_back();
    row.fill(kNowhere);
    for (const ByteEdge& edge : automaton_.bytes(state)) {
      const bool simple = automaton_.IsPlain(edge.target) && automaton_.height(edge.target) == 0;
      for (int byte = edge.first; byte <= edge.last; ++byte) {
        StateId& next = row[static_cast<size_t>(byte)];
        next = simple && next == kNowhere ? edge.target : kElse;
      }
    }
  }

  const Automaton& automaton_;
  std::vector<uint32_t> row_of_;  // by state
  std::vector<std::array<StateId, 256>> rows_;
};

}  // namespace flashmoe::grammar
