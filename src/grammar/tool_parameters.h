// The arguments of a call in the form of Qwen3.5: <parameter=KEY>\nVALUE\n</parameter>\n for each.
#pragma once

#include "grammar/schema_compiler.h"
#include "grammar/tool_value.h"

namespace flashmoe::grammar {

class ToolParameters {
 public:
  ToolParameters(SchemaContext context, SchemaCompiler& compiler)
      : compiler_(compiler), value_(context, compiler) {}

  // The parameters of an object schema; in its order, optional ones may be left out.
  Result<NodeId> Append(Nfa& nfa, NodeId from, const Schema& schema);

 private:
  // Any names with any text, of an object that describes none.
  NodeId AppendAnyParameters(Nfa& nfa, NodeId from);

  SchemaCompiler& compiler_;
  ToolValue value_;
};

}  // namespace flashmoe::grammar
