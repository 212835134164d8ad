#include "grammar/tool_value.h"

#include <algorithm>
#include <map>

#include "grammar/machine.h"
#include "grammar/regex.h"

namespace flashmoe::grammar {
namespace {

constexpr std::string_view kClose = "</parameter>";
constexpr std::string_view kEnd = "\n</parameter>\n";
constexpr size_t kKindsMax = 10'000;

// Texts that may be read as a value of one of the types, and perhaps some more.
std::string ReadAs(const std::set<std::string>& types) {
  static const std::map<std::string, std::string> kTexts = {
      {"null", "(null|None)\\s*"},
      {"boolean", "(true|True|TRUE|false|False|FALSE)\\s*"},
      {"number", "-?[0-9][-+.0-9eE]*\\s*"},
      {"array", "\\[[\\s\\S]*"},
      {"object", "\\{[\\s\\S]*"}};
  std::string pattern;
  for (const std::string& type : types) {
    const auto text = kTexts.find(type);
    if (text != kTexts.end()) pattern += (pattern.empty() ? "\\s*(" : "|") + text->second;
  }
  return pattern + ")";
}

std::vector<std::string> NamesOfTypes(const Schema& type) {
  std::vector<std::string> names;
  for (const Schema& name : type.is_array() ? type : Schema::array({type})) {
    if (name.is_string()) names.push_back(name.get<std::string>());
  }
  return names;
}

}  // namespace

NodeId ToolValue::AppendAnyText(Nfa& nfa, NodeId from) {
  if (!any_text_) {
    any_text_ = context_.builder.Reserve();
    Nfa rule = context_.builder.NewNfa();
    const NodeId text = rule.Insert(0, WithoutPartMachine(kClose));
    context_.builder.Define(*any_text_, rule, rule.Literal(text, kEnd));
  }
  return nfa.Call(from, *any_text_);
}

Result<bool> ToolValue::MayBeString(const Schema& schema, const std::string& pointer, int depth) {
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

Status ToolValue::AddKinds(const Schema& schema, const std::string& pointer, int depth,
                           std::vector<Kind>& kinds) {
  if (++kinds_ > kKindsMax) {
    return Fail(ErrorCode::kUnsupported, "the parameters have too many alternatives",
                compiler_.Where(pointer), "use fewer");
  }
  FM_ASSIGN_OR_RETURN(const Schema flat, compiler_.Flatten(schema, pointer, depth));
  if (!flat.is_object()) {
    if (flat == true) kinds.push_back({Schema::object(), pointer, true, true});
    return {};
  }
  for (const char* keyword : {"anyOf", "oneOf"}) {
    if (!flat.contains(keyword)) continue;
    FM_ASSIGN_OR_RETURN(const std::vector<Schema> branches,
                        compiler_.Alternatives(flat, keyword, pointer));
    for (size_t i = 0; i < branches.size(); ++i) {
      const std::string where = Below(Below(pointer, keyword), std::to_string(i));
      FM_RETURN_IF_ERROR(AddKinds(branches[i], where, depth + 1, kinds));
    }
    return {};
  }
  return AddKindsOf(flat, pointer, kinds);
}

Status ToolValue::AddKindsOf(const Schema& flat, const std::string& pointer,
                             std::vector<Kind>& kinds) {
  Schema strings = flat, others = flat;
  FM_ASSIGN_OR_RETURN(const Schema values, compiler_.ValuesOf(flat, pointer));
  if (values.is_array()) {
    strings = others = {{"enum", Schema::array()}};
    for (const Schema& value : values) {
      (value.is_string() ? strings : others)["enum"].push_back(value);
    }
    if (!strings["enum"].empty()) kinds.push_back({strings, pointer, true, false});
    if (!others["enum"].empty()) kinds.push_back({others, pointer, false, false});
    return {};
  }
  // Without a type, a text is read as a string, unless members are spoken of.
  std::vector<std::string> types = {flat.contains("properties") ? "object" : "string"};
  if (flat.contains("type")) types = NamesOfTypes(flat["type"]);
  const bool is_plain = flat.empty() || (flat.size() == 1 && flat.contains("type"));
  if (std::erase(types, "string") > 0) {
    strings["type"] = "string";
    kinds.push_back({strings, pointer, true, is_plain});
  }
  if (!types.empty()) {
    others["type"] = types;
    kinds.push_back({others, pointer, false, is_plain});
  }
  return {};
}

Result<NodeId> ToolValue::AppendStrings(Nfa& nfa, NodeId from, const Schema& flat,
                                        const std::string& pointer,
                                        const std::set<std::string>& others) {
  const GrammarLimits& limits = context_.builder.limits();
  FM_ASSIGN_OR_RETURN(const Schema values, compiler_.ValuesOf(flat, pointer));
  Machine machine;
  if (values.is_array()) {
    std::vector<std::string> words;
    for (const Schema& value : values) words.push_back(value.get<std::string>());
    FM_ASSIGN_OR_RETURN(machine, WordsMachine(words, TextEncoding::kUtf8, limits));
  } else {
    FM_ASSIGN_OR_RETURN(const StringLimits of_text, compiler_.StringLimitsOf(flat, pointer));
    if (of_text.IsPlain() && others.empty()) return AppendAnyText(nfa, from);
    FM_ASSIGN_OR_RETURN(machine, compiler_.StringMachineOf(of_text, TextEncoding::kUtf8, pointer));
  }
  std::optional<Machine> readable = Intersect(machine, WithoutPartMachine(kClose), limits.states);
  if (readable && !others.empty()) {
    FM_ASSIGN_OR_RETURN(const Machine other, CompileRegexMachine(ReadAs(others), RegexMatch::kWhole,
                                                                 TextEncoding::kUtf8, limits));
    readable = Subtract(*readable, other, limits.states);
  }
  if (!readable) {
    return Fail(ErrorCode::kUnsupported, "the string is too complicated", compiler_.Where(pointer));
  }
  const RuleId rule = context_.builder.Reserve();
  Nfa text = context_.builder.NewNfa();
  context_.builder.Define(rule, text, text.Literal(text.Insert(0, *readable), kEnd));
  return nfa.Call(from, rule);
}

Result<NodeId> ToolValue::Append(Nfa& nfa, NodeId from, const Schema& schema,
                                 const std::string& pointer) {
  FM_ASSIGN_OR_RETURN(const bool may_be_string, MayBeString(schema, pointer, 0));
  if (!may_be_string) {
    FM_ASSIGN_OR_RETURN(const NodeId end, compiler_.Append(nfa, from, schema, pointer));
    return nfa.Literal(end, kEnd);
  }
  std::vector<Kind> kinds;
  FM_RETURN_IF_ERROR(AddKinds(schema, pointer, 0, kinds));
  // Whatever such a text is read as, it is allowed.
  const bool has_string = std::ranges::any_of(kinds, &Kind::is_string);
  if (has_string && std::ranges::all_of(kinds, &Kind::is_plain)) return AppendAnyText(nfa, from);
  std::set<std::string> others;
  for (const Kind& kind : kinds) {
    if (!kind.is_string) others.merge(TypesOf(kind.schema));
  }
  const NodeId to = nfa.AddNode();
  for (const Kind& kind : kinds) {
    NodeId end = 0;
    if (kind.is_string) {
      FM_ASSIGN_OR_RETURN(end, AppendStrings(nfa, from, kind.schema, kind.pointer, others));
    } else {
      FM_ASSIGN_OR_RETURN(end, compiler_.Append(nfa, from, kind.schema, kind.pointer));
      end = nfa.Literal(end, kEnd);
    }
    nfa.AddEmpty(end, to);
  }
  return to;
}

}  // namespace flashmoe::grammar
