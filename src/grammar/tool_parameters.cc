#include "grammar/tool_parameters.h"

#include <fmt/format.h>

#include <algorithm>

#include "grammar/machine.h"
#include "text/utf8.h"

namespace flashmoe::grammar {
namespace {

constexpr std::string_view kClose = "</parameter>";
constexpr std::string_view kEnd = "\n</parameter>\n";

}  // namespace

NodeId ToolParameters::AppendAnyText(Nfa& nfa, NodeId from) {
  if (!any_text_) {
    any_text_ = context_.builder.Reserve();
    Nfa rule = context_.builder.NewNfa();
    const NodeId text = rule.Insert(0, WithoutPartMachine(kClose));
    context_.builder.Define(*any_text_, rule, rule.Literal(text, kEnd));
  }
  return nfa.Call(from, *any_text_);
}

NodeId ToolParameters::AppendAnyParameters(Nfa& nfa, NodeId from) {
  const NodeId loop = nfa.AddNode();
  nfa.AddEmpty(from, loop);
  const NodeId key = nfa.Literal(loop, "<parameter=");
  const CharClass names = CharClass({{'<', '<'}, {'>', '>'}, {0, 0x1F}}).Negated();
  const NodeId name = AppendChar(nfa, key, names, TextEncoding::kUtf8);
  nfa.AddEmpty(AppendChar(nfa, name, names, TextEncoding::kUtf8), name);
  nfa.AddEmpty(AppendAnyText(nfa, nfa.Literal(name, ">\n")), loop);
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
                        AppendValue(nfa, begin, parameter.schema, parameter.pointer));
    const NodeId next = nfa.AddNode();
    nfa.AddEmpty(end, next);
    if (!parameter.required) nfa.AddEmpty(from, next);
    from = next;
  }
  return from;
}

Result<bool> ToolParameters::MayBeString(const Schema& schema, const std::string& pointer,
                                         int depth) {
  FM_ASSIGN_OR_RETURN(const Schema flat, compiler_.Flatten(schema, pointer, depth));
  if (!flat.is_object()) return flat == true;
  if (!TypesOf(flat).contains("string")) return false;
  for (const char* keyword : {"anyOf", "oneOf"}) {
    const auto list = flat.find(keyword);
    if (list == flat.end() || !list->is_array()) continue;
    for (const Schema& branch : *list) {
      FM_ASSIGN_OR_RETURN(const bool may, MayBeString(branch, Below(pointer, keyword), depth + 1));
      if (may) return true;
    }
    return false;
  }
  return true;
}

// Exactly strings, of a kind that the text can be held to.
Result<NodeId> ToolParameters::AppendStrings(Nfa& nfa, NodeId from, const Schema& flat,
                                             const std::string& pointer) {
  const GrammarLimits& limits = context_.builder.limits();
  FM_ASSIGN_OR_RETURN(const Schema values, compiler_.ValuesOf(flat, pointer));
  Machine machine;
  if (values.is_array()) {
    std::vector<std::string> words;
    for (const Schema& value : values) words.push_back(value.get<std::string>());
    FM_ASSIGN_OR_RETURN(machine, WordsMachine(words, TextEncoding::kUtf8, limits));
  } else {
    FM_ASSIGN_OR_RETURN(const StringLimits of_text, compiler_.StringLimitsOf(flat, pointer));
    if (of_text.IsPlain()) return AppendAnyText(nfa, from);
    FM_ASSIGN_OR_RETURN(machine, compiler_.StringMachineOf(of_text, TextEncoding::kUtf8, pointer));
  }
  std::optional<Machine> readable = Intersect(machine, WithoutPartMachine(kClose), limits.states);
  if (!readable) {
    return Fail(ErrorCode::kUnsupported, "the string is too complicated", compiler_.Where(pointer));
  }
  const RuleId rule = context_.builder.Reserve();
  Nfa text = context_.builder.NewNfa();
  context_.builder.Define(rule, text, text.Literal(text.Insert(0, *readable), kEnd));
  return nfa.Call(from, rule);
}

Result<NodeId> ToolParameters::AppendValue(Nfa& nfa, NodeId from, const Schema& schema,
                                           const std::string& pointer) {
  FM_ASSIGN_OR_RETURN(const bool may_be_string, MayBeString(schema, pointer, 0));
  if (!may_be_string) {
    FM_ASSIGN_OR_RETURN(const NodeId end, compiler_.Append(nfa, from, schema, pointer));
    return nfa.Literal(end, kEnd);
  }
  FM_ASSIGN_OR_RETURN(const Schema flat, compiler_.Flatten(schema, pointer));
  const bool only_strings = flat.is_object() && TypesOf(flat) == std::set<std::string>{"string"} &&
                            !flat.contains("anyOf") && !flat.contains("oneOf");
  // Where a string is one of several possibilities, any text is possible.
  return only_strings ? AppendStrings(nfa, from, flat, pointer) : AppendAnyText(nfa, from);
}

}  // namespace flashmoe::grammar
