// Sets of nodes become states.
#include <algorithm>
#include <map>
#include <utility>

#include "grammar/machine.h"

namespace flashmoe::grammar {
namespace {

using NodeSet = std::vector<NodeId>;  // sorted

// Bounds time (about a second) and memory (sets of 40 MB), whatever the nodes are.
constexpr uint64_t kWorkMax = 500'000'000;
constexpr uint64_t kWorkPerNodeKept = 50;

class Determinizer {
 public:
  Determinizer(const Nfa& nfa, NodeId end, size_t states_max)
      : nfa_(nfa), end_(end), states_max_(states_max), seen_(nfa.size(), 0) {}

  std::optional<Machine> Run(NodeId start) {
    // The first state stands for itself alone: only there does a text begin.
    AddState(Close({start}, /*at_start=*/true, /*at_end=*/false));
    for (size_t s = 0; s < sets_.size(); ++s) {
      if (sets_.size() > states_max_ || work_ > kWorkMax) return std::nullopt;
      Expand(s);
    }
    return std::move(out_);
  }

 private:
  NodeSet Close(NodeSet open, bool at_start, bool at_end) {
    NodeSet closed;
    ++round_;
    while (!open.empty()) {
      const NodeId node = open.back();
      open.pop_back();
      if (seen_[node] == round_) continue;
      seen_[node] = round_;
      closed.push_back(node);
      for (int32_t e = nfa_.first_edge(node); e >= 0; e = nfa_.edge(e).next) {
        const Nfa::Edge& edge = nfa_.edge(e);
        const bool passes = edge.kind == Nfa::EdgeKind::kEmpty ||
                            (edge.kind == Nfa::EdgeKind::kTextStart && at_start) ||
                            (edge.kind == Nfa::EdgeKind::kTextEnd && at_end);
        if (passes) open.push_back(edge.to);
      }
    }
    std::sort(closed.begin(), closed.end());
    return closed;
  }

  StateId AddState(NodeSet set) {
    work_ += kWorkPerNodeKept * set.size();
    sets_.push_back(std::move(set));
    out_.states.emplace_back();
    return static_cast<StateId>(sets_.size() - 1);
  }

  StateId Id(NodeSet nodes) {
    NodeSet set = Close(std::move(nodes), false, false);
    const auto found = ids_.find(set);
    if (found != ids_.end()) return found->second;
    const StateId id = AddState(set);
    ids_.emplace(std::move(set), id);
    return id;
  }

  void Expand(size_t s) {
    const NodeSet set = sets_[s];  // a copy: sets_ grows
    const NodeSet at_end = Close(set, s == 0, true);
    out_.states[s].final = std::binary_search(at_end.begin(), at_end.end(), end_);

    std::vector<Nfa::Edge> edges;
    std::map<RuleId, NodeSet> calls;
    std::vector<int> borders;
    for (const NodeId node : set) {
      for (int32_t e = nfa_.first_edge(node); e >= 0; e = nfa_.edge(e).next) {
        const Nfa::Edge& edge = nfa_.edge(e);
        if (edge.kind == Nfa::EdgeKind::kCall) calls[edge.rule].push_back(edge.to);
        if (edge.kind != Nfa::EdgeKind::kBytes) continue;
        edges.push_back(edge);
        borders.push_back(edge.first);
        borders.push_back(edge.last + 1);
      }
    }
    for (auto& [rule, nodes] : calls) {
      const StateId after = Id(std::move(nodes));
      out_.states[s].calls.push_back({rule, after});
    }
    work_ += set.size() + edges.size() * borders.size();
    std::sort(borders.begin(), borders.end());
    borders.erase(std::unique(borders.begin(), borders.end()), borders.end());
    for (size_t i = 0; i + 1 < borders.size(); ++i)
      ExpandRange(s, edges, borders[i], borders[i + 1]);
  }

  void ExpandRange(size_t s, const std::vector<Nfa::Edge>& edges, int begin, int end) {
    NodeSet nodes;
    for (const Nfa::Edge& edge : edges) {
      if (edge.first <= begin && begin <= edge.last) nodes.push_back(edge.to);
    }
    if (nodes.empty()) return;
    const StateId to = Id(std::move(nodes));
    std::vector<ByteEdge>& bytes = out_.states[s].bytes;
    if (!bytes.empty() && bytes.back().target == to && bytes.back().last + 1 == begin) {
      bytes.back().last = static_cast<uint8_t>(end - 1);
    } else {
      bytes.push_back({static_cast<uint8_t>(begin), static_cast<uint8_t>(end - 1), to});
    }
  }

  const Nfa& nfa_;
  NodeId end_;
  size_t states_max_;
  uint64_t work_ = 0;
  uint32_t round_ = 0;
  std::vector<uint32_t> seen_;  // by node: the last closure it was part of
  std::map<NodeSet, StateId> ids_;
  std::vector<NodeSet> sets_;
  Machine out_;
};

}  // namespace

std::optional<Machine> Determinize(const Nfa& nfa, NodeId start, NodeId end, size_t states_max) {
  return Determinizer(nfa, end, states_max).Run(start);
}

Machine WithoutEmptyEdges(const Nfa& nfa, NodeId start, NodeId end) {
  Machine machine;
  std::map<NodeId, StateId> ids{{start, 0}};
  NodeSet order{start};
  machine.states.emplace_back();
  const auto id = [&](NodeId node) {
    const auto [at, fresh] = ids.try_emplace(node, static_cast<StateId>(order.size()));
    if (fresh) {
      order.push_back(node);
      machine.states.emplace_back();
    }
    return at->second;
  };
  std::vector<uint32_t> seen(nfa.size(), 0);
  for (size_t s = 0; s < order.size(); ++s) {
    Machine::State state;
    for (NodeSet open{order[s]}; !open.empty();) {
      const NodeId node = open.back();
      open.pop_back();
      if (seen[node] == s + 1) continue;
      seen[node] = static_cast<uint32_t>(s + 1);
      state.final |= node == end;
      for (int32_t e = nfa.first_edge(node); e >= 0; e = nfa.edge(e).next) {
        const Nfa::Edge& edge = nfa.edge(e);
        if (edge.kind == Nfa::EdgeKind::kEmpty) open.push_back(edge.to);
        if (edge.kind == Nfa::EdgeKind::kCall) state.calls.push_back({edge.rule, id(edge.to)});
        if (edge.kind != Nfa::EdgeKind::kBytes) continue;
        state.bytes.push_back({edge.first, edge.last, id(edge.to)});
      }
    }
    std::sort(state.bytes.begin(), state.bytes.end());
    std::sort(state.calls.begin(), state.calls.end());
    machine.states[s] = std::move(state);
  }
  return machine;
}

}  // namespace flashmoe::grammar
