// The arguments of a call in the form of Qwen3.5: <parameter=KEY>\nVALUE\n</parameter>\n for each.
// Strings stand there as they are, everything else as JSON.
#pragma once

#include <optional>

#include "grammar/schema_compiler.h"

namespace flashmoe::grammar {

class ToolParameters {
 public:
  ToolParameters(SchemaContext context, SchemaCompiler& compiler)
      : context_(context), compiler_(compiler) {}

  // The parameters of an object schema; in its order, optional ones may be left out.
  Result<NodeId> Append(Nfa& nfa, NodeId from, const Schema& schema);

 private:
  // From behind <parameter=KEY>\n up to the end of </parameter>\n.
  Result<NodeId> AppendValue(Nfa& nfa, NodeId from, const Schema& schema,
                             const std::string& pointer);
  // Whether a value can be a string, whose text would stand there without quotes.
  Result<bool> MayBeString(const Schema& schema, const std::string& pointer, int depth);
  Result<NodeId> AppendStrings(Nfa& nfa, NodeId from, const Schema& flat,
                               const std::string& pointer);
  NodeId AppendAnyText(Nfa& nfa, NodeId from);
  // Any names with any text, of an object that describes none.
  NodeId AppendAnyParameters(Nfa& nfa, NodeId from);

  SchemaContext context_;
  SchemaCompiler& compiler_;
  std::optional<RuleId> any_text_;  // with what ends it
};

}  // namespace flashmoe::grammar
