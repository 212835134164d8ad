#include "grammar/tool_parameters.h"

#include <fmt/format.h>

#include "text/utf8.h"

namespace flashmoe::grammar {
NodeId ToolParameters::AppendAnyParameters(Nfa& nfa, NodeId from) {
  const NodeId loop = nfa.AddNode();
  nfa.AddEmpty(from, loop);
  const NodeId key = nfa.Literal(loop, "<parameter=");
  const CharClass names = CharClass({{'<', '<'}, {'>', '>'}, {0, 0x1F}}).Negated();
  const NodeId name = AppendChar(nfa, key, names, TextEncoding::kUtf8);
  nfa.AddEmpty(AppendChar(nfa, name, names, TextEncoding::kUtf8), name);
  nfa.AddEmpty(value_.AppendAnyText(nfa, nfa.Literal(name, ">\n")), loop);
  return loop;
}

Result<NodeId> ToolParameters::Append(Nfa& nfa, NodeId from, const Schema& schema) {
  FM_ASSIGN_OR_RETURN(const Schema flat, compiler_.Flatten(schema, ""));
  if (flat == true) return AppendAnyParameters(nfa, from);
  FM_ASSIGN_OR_RETURN(const std::vector<SchemaCompiler::Parameter> parameters,
                      compiler_.ParametersOf(flat));
  const bool any = parameters.empty() && flat.is_object() && !flat.contains("properties") &&
                   flat.value("additionalProperties", Schema(true)) != false;
  if (any) return AppendAnyParameters(nfa, from);
  for (const SchemaCompiler::Parameter& parameter : parameters) {
    if (parameter.name.empty() || parameter.name.find_first_of("<>\n\r") != std::string::npos) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("{} cannot be the name of a parameter", QuoteText(parameter.name)),
                  compiler_.Where(parameter.pointer));
    }
    const NodeId begin = nfa.Literal(from, "<parameter=" + parameter.name + ">\n");
    FM_ASSIGN_OR_RETURN(const NodeId end,
                        value_.Append(nfa, begin, parameter.schema, parameter.pointer));
    const NodeId next = nfa.AddNode();
    nfa.AddEmpty(end, next);
    if (!parameter.required) nfa.AddEmpty(from, next);
    from = next;
  }
  return from;
}

}  // namespace flashmoe::grammar
