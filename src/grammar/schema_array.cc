// Arrays of a schema.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "grammar/schema_compiler.h"

namespace flashmoe::grammar {

// Nodes "after i items": the next item follows a comma, except the first. Items of a counted array
// are calls of one rule; an array of any length is a loop.
Result<NodeId> SchemaCompiler::AppendArray(Nfa& nfa, NodeId from, const Schema& schema,
                                           const std::string& pointer, int depth) {
  FM_ASSIGN_OR_RETURN(const auto least_given, Count(schema, "minItems", pointer));
  FM_ASSIGN_OR_RETURN(const auto most_given, Count(schema, "maxItems", pointer));
  const uint64_t least = least_given.value_or(0);
  uint64_t most = most_given.value_or(std::numeric_limits<uint64_t>::max());
  const Schema prefix = schema.value("prefixItems", Schema::array());
  if (!prefix.is_array()) {
    return InvalidInput("prefixItems is not a list of schemas",
                        prefix_ + Below(pointer, "prefixItems"));
  }
  // A tuple has no more items than it describes, unless it must.
  const bool closed = !prefix.empty() && !schema.contains("items") && least <= prefix.size();
  const Schema items = closed ? Schema(false) : schema.value("items", Schema(true));
  if (items.is_array()) {
    return InvalidInput("items is a list", prefix_ + Below(pointer, "items"),
                        "call it prefixItems, as draft 2020-12 does");
  }
  if (items == false) most = std::min<uint64_t>(most, prefix.size());
  if (most < least) {
    return InvalidInput("no number of items is possible", prefix_ + Below(pointer, "minItems"));
  }
  const std::string items_pointer = Below(pointer, "items");
  JsonText& text = context_.text;

  const NodeId open = text.Space(nfa, nfa.Literal(from, "["));
  const NodeId close = nfa.AddNode();  // before the bracket
  if (least == 0) nfa.AddEmpty(open, close);
  const NodeId close_after_items = nfa.AddNode();
  nfa.AddEmpty(text.Space(nfa, close_after_items), close);
  NodeId at = open;
  uint64_t count = 0;
  const auto before_item = [&] { return count == 0 ? at : text.Comma(nfa, at); };
  for (; count < prefix.size() && count < most; ++count) {
    const std::string where = Below(Below(pointer, "prefixItems"), std::to_string(count));
    FM_ASSIGN_OR_RETURN(at, Append(nfa, before_item(), prefix[count], where, depth + 1));
    if (count + 1 >= least) nfa.AddEmpty(at, close_after_items);
  }
  if (count < most) {
    const bool endless = !most_given;
    const uint64_t counted = endless ? std::max(least, count) : most;
    std::optional<RuleId> rule;
    if (counted > count + 1) {
      FM_ASSIGN_OR_RETURN(rule, NewRule(items, items_pointer, depth + 1));
    }
    for (; count < counted && !nfa.Overflowed(); ++count) {
      const NodeId begin = before_item();
      if (rule) {
        at = nfa.Call(begin, *rule);
      } else {
        FM_ASSIGN_OR_RETURN(at, Append(nfa, begin, items, items_pointer, depth + 1));
      }
      if (count + 1 >= least) nfa.AddEmpty(at, close_after_items);
    }
    if (endless) {
      const NodeId item = nfa.AddNode();
      nfa.AddEmpty(before_item(), item);
      NodeId end = 0;
      if (rule) {
        end = nfa.Call(item, *rule);
      } else {
        FM_ASSIGN_OR_RETURN(end, Append(nfa, item, items, items_pointer, depth + 1));
      }
      nfa.AddEmpty(text.Comma(nfa, end), item);
      nfa.AddEmpty(end, close_after_items);
    }
  }
  return nfa.Literal(close, "]");
}

}  // namespace flashmoe::grammar
