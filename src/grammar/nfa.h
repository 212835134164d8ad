// A grammar while it is made: nodes joined by edges that read bytes, nothing at all, or a rule.
// Everything is built from a node on: functions take the node where a text begins and return the
// one where it ends.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "grammar/automaton.h"

namespace flashmoe::grammar {

using NodeId = uint32_t;

class Nfa {
 public:
  enum class EdgeKind : uint8_t {
    kBytes,
    kEmpty,
    kCall,
    kTextStart,  // as kEmpty, where the whole text begins
    kTextEnd,    // as kEmpty, where it ends
  };
  struct Edge {
    EdgeKind kind = EdgeKind::kEmpty;
    uint8_t first = 0, last = 0;
    NodeId to = 0;
    RuleId rule = 0;
    int32_t next = -1;  // of the same node
  };

  // Past `nodes_max`, Overflowed() is true and what is added is forgotten: nothing has to be
  // checked at every step.
  explicit Nfa(size_t nodes_max) : nodes_max_(nodes_max) { AddNode(); }

  NodeId AddNode();
  void AddBytes(NodeId from, uint8_t first, uint8_t last, NodeId to);
  void AddEmpty(NodeId from, NodeId to);
  void AddAssertion(NodeId from, EdgeKind kind, NodeId to);
  void AddCall(NodeId from, RuleId rule, NodeId to);

  NodeId Literal(NodeId from, std::string_view text);
  NodeId Call(NodeId from, RuleId rule);
  // Any of these bytes.
  NodeId AnyOf(NodeId from, std::string_view bytes);
  // A copy of a machine without calls.
  NodeId Insert(NodeId from, const Machine& machine);

  size_t size() const { return first_edge_.size(); }
  bool Overflowed() const { return overflowed_; }
  int32_t first_edge(NodeId node) const { return first_edge_[node]; }
  const Edge& edge(int32_t index) const { return edges_[static_cast<size_t>(index)]; }

 private:
  void Add(NodeId from, Edge edge);

  size_t nodes_max_;
  bool overflowed_ = false;
  std::vector<int32_t> first_edge_;  // by node; -1: none
  std::vector<Edge> edges_;
};

}  // namespace flashmoe::grammar
