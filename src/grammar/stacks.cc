#include "grammar/stacks.h"

#include <algorithm>

namespace flashmoe::grammar {

FrameId FrameTable::Push(FrameId parent, StateId after) {
  const auto [at, fresh] =
      ids_.try_emplace(Key(parent, after), static_cast<FrameId>(frames_.size()));
  if (fresh) {
    const auto depth = static_cast<uint16_t>(frames_[parent].depth + 1);
    frames_.push_back({parent, after, depth});
  }
  return at->second;
}

void FrameTable::Truncate(size_t size) {
  while (frames_.size() > size) {
    ids_.erase(Key(frames_.back().parent, frames_.back().after));
    frames_.pop_back();
  }
}

bool Stepper::Enter(Position position, size_t set_begin, std::vector<Position>& out) {
  const auto is_new = [&](Position p) {
    return out.size() - set_begin < kPositionsMax &&
           std::find(out.begin() + static_cast<ptrdiff_t>(set_begin), out.end(), p) == out.end();
  };
  if (automaton_.IsPlain(position.state)) {
    if (is_new(position)) out.push_back(position);
    return false;
  }
  bool ended = false;
  open_.assign(1, position);
  while (!open_.empty()) {
    const Position p = open_.back();
    open_.pop_back();
    if (!is_new(p)) continue;
    out.push_back(p);
    if (automaton_.IsFinal(p.state)) {
      if (p.frame == kBottom) {
        ended = true;
      } else {
        open_.push_back({frames_[p.frame].after, frames_[p.frame].parent});
      }
    }
    for (const CallEdge& call : automaton_.calls(p.state)) {
      if (automaton_.IsEnd(call.after)) {
        if (Fits(p.frame, call.callee)) open_.push_back({call.callee, p.frame});
        continue;
      }
      // What is entered must be able to end within the limit, and so must what comes after it.
      const int depth = frames_[p.frame].depth;
      if (depth + 1 + automaton_.height(call.callee) > automaton_.stack_depth()) continue;
      if (!Fits(p.frame, call.after)) continue;
      const FrameId frame = frames_.Push(p.frame, call.after);
      if (Fits(frame, call.callee)) open_.push_back({call.callee, frame});
    }
  }
  return ended;
}

bool Stepper::Step(size_t begin, size_t end, uint8_t byte, std::vector<Position>& out) {
  const size_t set_begin = out.size();
  bool ended = false;
  for (size_t i = begin; i < end; ++i) {
    const Position p = out[i];
    for (const ByteEdge& edge : automaton_.bytes(p.state)) {
      if (byte < edge.first) break;
      if (byte > edge.last || !Fits(p.frame, edge.target)) continue;
      ended |= Enter({edge.target, p.frame}, set_begin, out);
    }
  }
  return ended;
}

}  // namespace flashmoe::grammar
