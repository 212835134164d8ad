#include "grammar/machine.h"

#include <algorithm>
#include <map>
#include <utility>

namespace flashmoe::grammar {
namespace {

constexpr StateId kDead = UINT32_MAX;

// The edge of a deterministic state for a byte.
StateId Target(const Machine::State& state, uint8_t byte) {
  for (const ByteEdge& edge : state.bytes) {
    if (byte < edge.first) break;
    if (byte <= edge.last) return edge.target;
  }
  return kDead;
}

// The bytes at which some edge of either state begins, or ends just before.
std::vector<int> Borders(const Machine::State* a, const Machine::State* b) {
  std::vector<int> borders;
  for (const Machine::State* state : {a, b}) {
    if (state == nullptr) continue;
    for (const ByteEdge& edge : state->bytes) {
      borders.push_back(edge.first);
      borders.push_back(edge.last + 1);
    }
  }
  std::sort(borders.begin(), borders.end());
  borders.erase(std::unique(borders.begin(), borders.end()), borders.end());
  return borders;
}

// Pairs of states of both machines; `b` may be dead where it does not matter.
class Product {
 public:
  Product(const Machine& a, const Machine& b, bool subtract, size_t states_max)
      : a_(a), b_(b), subtract_(subtract), states_max_(states_max) {}

  std::optional<Machine> Run() {
    Id(0, 0);
    for (size_t s = 0; s < pairs_.size(); ++s) {
      if (pairs_.size() > states_max_) return std::nullopt;
      Expand(s);
    }
    Trim(out_);
    return std::move(out_);
  }

 private:
  StateId Id(StateId a, StateId b) {
    const auto [at, fresh] = ids_.try_emplace(std::pair(a, b), static_cast<StateId>(pairs_.size()));
    if (fresh) {
      pairs_.emplace_back(a, b);
      out_.states.emplace_back();
    }
    return at->second;
  }

  void Expand(size_t s) {
    const auto [ia, ib] = pairs_[s];
    const Machine::State& a = a_.states[ia];
    const Machine::State* b = ib == kDead ? nullptr : &b_.states[ib];
    const bool in_b = b != nullptr && b->final;
    out_.states[s].final = a.final && in_b != subtract_;
    const std::vector<int> borders = Borders(&a, b);
    for (size_t i = 0; i + 1 < borders.size(); ++i) {
      const auto first = static_cast<uint8_t>(borders[i]);
      const auto last = static_cast<uint8_t>(borders[i + 1] - 1);
      const StateId ta = Target(a, first);
      const StateId tb = b == nullptr ? kDead : Target(*b, first);
      if (ta == kDead || (tb == kDead && !subtract_)) continue;
      const StateId to = Id(ta, tb);
      out_.states[s].bytes.push_back({first, last, to});
    }
  }

  const Machine& a_;
  const Machine& b_;
  bool subtract_;
  size_t states_max_;
  std::map<std::pair<StateId, StateId>, StateId> ids_;
  std::vector<std::pair<StateId, StateId>> pairs_;
  Machine out_;
};

// Which states lead to an end.
std::vector<bool> Useful(const Machine& machine) {
  std::vector<std::vector<StateId>> from(machine.states.size());
  std::vector<StateId> open;
  std::vector<bool> useful(machine.states.size());
  for (StateId s = 0; s < machine.states.size(); ++s) {
    for (const ByteEdge& edge : machine.states[s].bytes) from[edge.target].push_back(s);
    if (machine.states[s].final) open.push_back(s);
  }
  while (!open.empty()) {
    const StateId s = open.back();
    open.pop_back();
    if (useful[s]) continue;
    useful[s] = true;
    open.insert(open.end(), from[s].begin(), from[s].end());
  }
  return useful;
}

}  // namespace

void Trim(Machine& machine) {
  const std::vector<bool> useful = Useful(machine);
  std::vector<StateId> renamed(machine.states.size(), kDead);
  Machine out;
  for (StateId s = 0; s < machine.states.size(); ++s) {
    if (!useful[s] && s != 0) continue;
    renamed[s] = static_cast<StateId>(out.states.size());
    out.states.push_back(std::move(machine.states[s]));
  }
  for (Machine::State& state : out.states) {
    std::erase_if(state.bytes, [&](const ByteEdge& edge) { return !useful[edge.target]; });
    for (ByteEdge& edge : state.bytes) edge.target = renamed[edge.target];
  }
  machine = std::move(out);
}

std::optional<Machine> Intersect(const Machine& a, const Machine& b, size_t states_max) {
  return Product(a, b, false, states_max).Run();
}

std::optional<Machine> Subtract(const Machine& a, const Machine& b, size_t states_max) {
  return Product(a, b, true, states_max).Run();
}

bool IsEmpty(const Machine& machine) { return !Useful(machine)[0]; }

bool Matches(const Machine& machine, std::string_view text) {
  StateId state = 0;
  for (const char c : text) {
    state = Target(machine.states[state], static_cast<uint8_t>(c));
    if (state == kDead) return false;
  }
  return machine.states[state].final;
}

}  // namespace flashmoe::grammar
