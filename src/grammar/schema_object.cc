// Objects of a schema.
#include <fmt/format.h>

#include <algorithm>

#include "grammar/machine.h"
#include "grammar/schema_compiler.h"
#include "text/utf8.h"

namespace flashmoe::grammar {

// What an object may have, in the order in which it is written.
struct SchemaCompiler::Members {
  using Declared = Parameter;
  // Members whose names are not declared, by what their names look like.
  struct Others {
    std::optional<Machine> names;  // nullopt: any string
    Schema schema;
    std::string pointer;
  };
  std::vector<Declared> declared;
  std::vector<Others> others;
  uint64_t least = 0;
  std::optional<uint64_t> most;
};

Result<SchemaCompiler::Members> SchemaCompiler::MembersOf(const Schema& schema,
                                                          const std::string& pointer) {
  Members members;
  FM_ASSIGN_OR_RETURN(const auto least, Count(schema, "minProperties", pointer));
  FM_ASSIGN_OR_RETURN(members.most, Count(schema, "maxProperties", pointer));
  members.least = least.value_or(0);
  const Schema properties = schema.value("properties", Schema::object());
  const Schema required = schema.value("required", Schema::array());
  if (!properties.is_object()) {
    return InvalidInput("properties is not an object of schemas",
                        prefix_ + Below(pointer, "properties"));
  }
  const bool names =
      required.is_array() &&
      std::all_of(required.begin(), required.end(), [](const Schema& n) { return n.is_string(); });
  if (!names) {
    return InvalidInput("required is not a list of names", prefix_ + Below(pointer, "required"));
  }
  std::set<std::string> needed;
  for (const Schema& name : required) needed.insert(name.get<std::string>());

  // Whoever describes members means these and no others, unless he says so.
  const bool open_by_default =
      !schema.contains("properties") && !schema.contains("patternProperties");
  const Schema rest = schema.value("additionalProperties", Schema(open_by_default));
  const std::string rest_pointer = Below(pointer, "additionalProperties");
  for (const auto& [name, value] : properties.items()) {
    members.declared.push_back(
        {name, value, Below(Below(pointer, "properties"), name), needed.contains(name)});
  }
  for (const Schema& entry : required) {
    const auto name = entry.get<std::string>();
    const bool known = std::any_of(members.declared.begin(), members.declared.end(),
                                   [&](const Members::Declared& d) { return d.name == name; });
    // Closed by default only: what is required may be there.
    const bool closed = schema.contains("additionalProperties");
    if (!known)
      members.declared.push_back({name, closed ? rest : Schema(true), rest_pointer, true});
  }
  if (rest != false) members.others.push_back({std::nullopt, rest, rest_pointer});
  FM_RETURN_IF_ERROR(AddPatterns(members, schema, pointer));
  return members;
}

Result<std::vector<SchemaCompiler::Parameter>> SchemaCompiler::ParametersOf(const Schema& flat) {
  if (!flat.is_object() || !TypesOf(flat).contains("object")) {
    return InvalidInput("the parameters of a tool are not an object", prefix_);
  }
  for (const char* keyword : {"anyOf", "oneOf"}) {
    if (!flat.contains(keyword)) continue;
    FM_RETURN_IF_ERROR(Unsupported(Below("", keyword),
                                   fmt::format("{} of all parameters is not supported", keyword)));
  }
  FM_ASSIGN_OR_RETURN(Members members, MembersOf(flat, ""));
  return std::move(members.declared);
}

// Names of `others` become what is neither declared nor another pattern's.
Status SchemaCompiler::AddPatterns(Members& members, const Schema& schema,
                                   const std::string& pointer) {
  const GrammarLimits& limits = context_.builder.limits();
  const Schema patterns = schema.value("patternProperties", Schema::object());
  const bool has_names = schema.contains("propertyNames") && schema["propertyNames"] != true;
  if (!patterns.is_object()) {
    return InvalidInput("patternProperties is not an object of schemas",
                        prefix_ + Below(pointer, "patternProperties"));
  }
  if (members.others.empty() && patterns.empty()) return {};
  if (patterns.empty() && members.declared.empty() && !has_names) return {};

  Machine free = AnyTextMachine(TextEncoding::kJsonString);
  const auto too_large = [&] {
    return Fail(ErrorCode::kUnsupported, "the names of members are too complicated",
                prefix_ + pointer);
  };
  if (has_names) {
    const std::string where = Below(pointer, "propertyNames");
    FM_ASSIGN_OR_RETURN(const Schema flat, Flatten(schema["propertyNames"], where));
    const bool plain = flat.is_object() && !flat.contains("anyOf") && !flat.contains("oneOf");
    if (!plain) {
      FM_RETURN_IF_ERROR(Unsupported(where, "these propertyNames are not supported"));
    } else {
      FM_ASSIGN_OR_RETURN(const Schema values, ValuesOf(flat, where));
      std::vector<std::string> words;
      for (const Schema& value : values) {
        if (value.is_string()) words.push_back(value.get<std::string>());
      }
      FM_ASSIGN_OR_RETURN(const StringLimits of_names, StringLimitsOf(flat, where));
      FM_ASSIGN_OR_RETURN(free, values.is_array()
                                    ? WordsMachine(words, TextEncoding::kJsonString, limits)
                                    : StringMachineOf(of_names, TextEncoding::kJsonString, where));
    }
  }
  std::vector<std::string> declared;
  for (const Members::Declared& member : members.declared) declared.push_back(member.name);
  FM_ASSIGN_OR_RETURN(const Machine taken,
                      WordsMachine(declared, TextEncoding::kJsonString, limits));
  std::optional<Machine> rest = Subtract(free, taken, limits.pattern_states);
  if (!rest) return too_large();

  std::vector<Members::Others> by_pattern;
  for (const auto& [pattern, value] : patterns.items()) {
    const std::string where = Below(Below(pointer, "patternProperties"), pattern);
    FM_ASSIGN_OR_RETURN(const Machine machine,
                        StringMachineOf({.pattern = pattern}, TextEncoding::kJsonString, where));
    FM_ASSIGN_OR_RETURN(const Machine plain,
                        StringMachineOf({.pattern = pattern}, TextEncoding::kUtf8, where));
    for (Members::Declared& member : members.declared) {
      if (!Matches(plain, member.name)) continue;
      member.schema = Schema{{"allOf", Schema::array({member.schema, value})}};
    }
    for (const Members::Others& other : by_pattern) {
      const auto both = Intersect(*other.names, machine, limits.pattern_states);
      if (!both || !IsEmpty(*both)) {
        FM_RETURN_IF_ERROR(Unsupported(where, "patternProperties that overlap are not supported"));
      }
    }
    std::optional<Machine> names = Intersect(*rest, machine, limits.pattern_states);
    rest = Subtract(*rest, machine, limits.pattern_states);
    if (!names || !rest) return too_large();
    by_pattern.push_back({std::move(*names), value, where});
  }
  if (!members.others.empty()) members.others[0].names = std::move(rest);
  members.others.insert(members.others.end(), std::make_move_iterator(by_pattern.begin()),
                        std::make_move_iterator(by_pattern.end()));
  return {};
}

Result<NodeId> SchemaCompiler::AppendOthers(Nfa& nfa, NodeId from, const Members& members,
                                            int depth) {
  const NodeId to = nfa.AddNode();
  for (const Members::Others& others : members.others) {
    NodeId key = 0;
    if (others.names) {
      key = nfa.Literal(nfa.Insert(nfa.Literal(from, "\""), *others.names), "\"");
    } else {
      key = context_.text.AnyString(nfa, from);
    }
    FM_ASSIGN_OR_RETURN(const NodeId end, Append(nfa, context_.text.Colon(nfa, key), others.schema,
                                                 others.pointer, depth + 1));
    nfa.AddEmpty(end, to);
  }
  return to;
}

// A number of members without names of their own: calls of one rule.
Result<NodeId> SchemaCompiler::AppendCounted(Nfa& nfa, NodeId open, const Members& members,
                                             const std::string& pointer, int depth) {
  if (members.most && *members.most < members.least) {
    return InvalidInput("minProperties is above maxProperties",
                        prefix_ + Below(pointer, "minProperties"));
  }
  const RuleId rule = context_.builder.Reserve();
  Nfa member = context_.builder.NewNfa();
  FM_ASSIGN_OR_RETURN(const NodeId end, AppendOthers(member, 0, members, depth));
  context_.builder.Define(rule, member, end);

  const NodeId close = nfa.AddNode();
  if (members.least == 0) nfa.AddEmpty(open, close);
  const NodeId close_after_some = nfa.AddNode();
  nfa.AddEmpty(context_.text.Space(nfa, close_after_some), close);
  NodeId at = open;
  const uint64_t counted = members.most.value_or(std::max<uint64_t>(members.least, 1));
  for (uint64_t count = 1; count <= counted && !nfa.Overflowed(); ++count) {
    at = nfa.Call(count == 1 ? at : context_.text.Comma(nfa, at), rule);
    if (count >= members.least) nfa.AddEmpty(at, close_after_some);
  }
  if (!members.most) {
    const NodeId more = nfa.Call(context_.text.Comma(nfa, at), rule);
    nfa.AddEmpty(more, at);
  }
  return nfa.Literal(close, "}");
}

// Nodes "before member i", with none written so far (`fresh`) and with some (`later`): only then
// is there a comma. A member that is optional may be passed by.
Result<NodeId> SchemaCompiler::AppendObject(Nfa& nfa, NodeId from, const Schema& schema,
                                            const std::string& pointer, int depth) {
  FM_ASSIGN_OR_RETURN(const Members members, MembersOf(schema, pointer));
  JsonText& text = context_.text;
  NodeId fresh = text.Space(nfa, nfa.Literal(from, "{"));
  if (members.declared.empty() && !members.others.empty() && (members.least > 0 || members.most)) {
    return AppendCounted(nfa, fresh, members, pointer, depth);
  }
  size_t required = 0;
  for (const Members::Declared& member : members.declared) required += member.required;
  if (members.least > std::max<size_t>(required, 1)) {
    FM_RETURN_IF_ERROR(Unsupported(Below(pointer, "minProperties"),
                                   "minProperties above the number of required members (or 1) is "
                                   "not supported"));
  }
  if (members.most && (*members.most < members.declared.size() || !members.others.empty())) {
    FM_RETURN_IF_ERROR(Unsupported(Below(pointer, "maxProperties"),
                                   "maxProperties beside properties is not supported"));
  }
  NodeId later = nfa.AddNode();
  for (const Members::Declared& member : members.declared) {
    if (member.schema == false && !member.required) continue;
    const NodeId key = nfa.AddNode();
    nfa.AddEmpty(text.String(nfa, fresh, member.name), key);
    nfa.AddEmpty(text.String(nfa, text.Comma(nfa, later), member.name), key);
    FM_ASSIGN_OR_RETURN(const NodeId value, Append(nfa, text.Colon(nfa, key), member.schema,
                                                   member.pointer, depth + 1));
    const NodeId next_fresh = nfa.AddNode(), next_later = nfa.AddNode();
    if (!member.required) {
      nfa.AddEmpty(fresh, next_fresh);
      nfa.AddEmpty(later, next_later);
    }
    nfa.AddEmpty(value, next_later);
    fresh = next_fresh;
    later = next_later;
  }
  if (!members.others.empty()) {
    const NodeId other = nfa.AddNode();
    nfa.AddEmpty(fresh, other);
    nfa.AddEmpty(text.Comma(nfa, later), other);
    FM_ASSIGN_OR_RETURN(const NodeId end, AppendOthers(nfa, other, members, depth));
    nfa.AddEmpty(end, later);
  }
  const NodeId close = text.Space(nfa, later);
  if (members.least == 0) nfa.AddEmpty(fresh, close);
  return nfa.Literal(close, "}");
}

}  // namespace flashmoe::grammar
