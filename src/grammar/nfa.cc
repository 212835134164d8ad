#include "grammar/nfa.h"

namespace flashmoe::grammar {

NodeId Nfa::AddNode() {
  if (first_edge_.size() >= nodes_max_) {
    overflowed_ = true;
    return 0;
  }
  first_edge_.push_back(-1);
  return static_cast<NodeId>(first_edge_.size() - 1);
}

void Nfa::Add(NodeId from, Edge edge) {
  constexpr size_t kEdgesPerNode = 16;
  if (overflowed_ || edges_.size() >= nodes_max_ * kEdgesPerNode) {
    overflowed_ = true;
    return;
  }
  edge.next = first_edge_[from];
  first_edge_[from] = static_cast<int32_t>(edges_.size());
  edges_.push_back(edge);
}

void Nfa::AddBytes(NodeId from, uint8_t first, uint8_t last, NodeId to) {
  Add(from, {.kind = EdgeKind::kBytes, .first = first, .last = last, .to = to});
}

void Nfa::AddEmpty(NodeId from, NodeId to) { Add(from, {.kind = EdgeKind::kEmpty, .to = to}); }

void Nfa::AddAssertion(NodeId from, EdgeKind kind, NodeId to) {
  Add(from, {.kind = kind, .to = to});
}

void Nfa::AddCall(NodeId from, RuleId rule, NodeId to) {
  Add(from, {.kind = EdgeKind::kCall, .to = to, .rule = rule});
}

NodeId Nfa::Literal(NodeId from, std::string_view text) {
  for (const char c : text) {
    const NodeId to = AddNode();
    AddBytes(from, static_cast<uint8_t>(c), static_cast<uint8_t>(c), to);
    from = to;
  }
  return from;
}

NodeId Nfa::Call(NodeId from, RuleId rule) {
  const NodeId to = AddNode();
  AddCall(from, rule, to);
  return to;
}

NodeId Nfa::AnyOf(NodeId from, std::string_view bytes) {
  const NodeId to = AddNode();
  for (const char c : bytes) {
    AddBytes(from, static_cast<uint8_t>(c), static_cast<uint8_t>(c), to);
  }
  return to;
}

NodeId Nfa::Insert(NodeId from, const Machine& machine) {
  std::vector<NodeId> nodes(machine.states.size());
  for (NodeId& node : nodes) node = AddNode();
  const NodeId end = AddNode();
  if (overflowed_) return end;
  AddEmpty(from, nodes[0]);
  for (size_t s = 0; s < nodes.size(); ++s) {
    const Machine::State& state = machine.states[s];
    for (const ByteEdge& edge : state.bytes) {
      AddBytes(nodes[s], edge.first, edge.last, nodes[edge.target]);
    }
    if (state.final) AddEmpty(nodes[s], end);
  }
  return end;
}

}  // namespace flashmoe::grammar
