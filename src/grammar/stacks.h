// Where a text stands in an automaton: all the ways it can have come, each with the rules that it
// still has to end.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "grammar/automaton.h"

namespace flashmoe::grammar {

using FrameId = uint32_t;
inline constexpr FrameId kBottom = 0;  // no rule but the outermost is open

// Stacks of states to return to. They share their lower parts, and equal stacks have equal ids.
class FrameTable {
 public:
  struct Frame {
    FrameId parent = kBottom;
    StateId after = 0;
    uint16_t depth = 0;
  };

  FrameTable() : frames_(1) {}
  FrameId Push(FrameId parent, StateId after);
  const Frame& operator[](FrameId id) const { return frames_[id]; }
  size_t size() const { return frames_.size(); }
  // Forgets the frames that were pushed since the table had this size.
  void Truncate(size_t size);

 private:
  static uint64_t Key(FrameId parent, StateId after) {
    return static_cast<uint64_t>(parent) << 32 | after;
  }
  std::vector<Frame> frames_;
  std::unordered_map<uint64_t, FrameId> ids_;
};

// One way: it goes on at `state`, and when the rule of that ends, at the frame's.
struct Position {
  StateId state = 0;
  FrameId frame = kBottom;
  bool operator==(const Position&) const = default;
};

// Moves positions along. Sets of positions are slices of vectors that callers own; they hold
// whatever calls and ended rules lead to without reading a byte.
class Stepper {
 public:
  // More ways at once are cut off (of a very ambiguous grammar): what is left is still right.
  static constexpr size_t kPositionsMax = 512;

  Stepper(const Automaton& automaton, FrameTable& frames)
      : automaton_(automaton), frames_(frames) {}

  // Adds a position and what it leads to. `set_begin`: where the set begins in `out`. Returns
  // whether the outermost rule can end here.
  bool Enter(Position position, size_t set_begin, std::vector<Position>& out);

  // Adds what out[begin, end) becomes by a byte as a new set at the end of `out`.
  bool Step(size_t begin, size_t end, uint8_t byte, std::vector<Position>& out);

  // The most frames (and height of what is entered) that were above the bottom so far.
  int reach() const { return reach_; }

 private:
  bool Fits(FrameId frame, StateId state) {
    const int height = frames_[frame].depth + automaton_.height(state);
    if (height > automaton_.stack_depth()) return false;
    reach_ = height > reach_ ? height : reach_;
    return true;
  }

  const Automaton& automaton_;
  FrameTable& frames_;
  int reach_ = 0;
  std::vector<Position> open_;
};

}  // namespace flashmoe::grammar
