// anyOf, oneOf, enum, const and lists of types.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "grammar/machine.h"
#include "grammar/schema_compiler.h"
#include "text/utf8.h"

namespace flashmoe::grammar {
namespace {

// Which type a keyword speaks of.
const std::map<std::string_view, std::string_view> kTypeOfKeyword = {
    {"properties", "object"},
    {"required", "object"},
    {"additionalProperties", "object"},
    {"minProperties", "object"},
    {"maxProperties", "object"},
    {"propertyNames", "object"},
    {"patternProperties", "object"},
    {"items", "array"},
    {"prefixItems", "array"},
    {"minItems", "array"},
    {"maxItems", "array"},
    {"minLength", "string"},
    {"maxLength", "string"},
    {"pattern", "string"},
    {"format", "string"},
    {"minimum", "number"},
    {"maximum", "number"},
    {"exclusiveMinimum", "number"},
    {"exclusiveMaximum", "number"},
    {"multipleOf", "number"}};

// The types of `type`, or those that the other keywords speak of; empty: any value.
std::vector<std::string> TypesToWrite(const Schema& schema, bool* valid) {
  std::vector<std::string> types;
  const auto add = [&](const std::string& type) {
    if (std::find(types.begin(), types.end(), type) == types.end()) types.push_back(type);
  };
  *valid = true;
  if (const auto type = schema.find("type"); type != schema.end()) {
    const Schema list = type->is_array() ? *type : Schema::array({*type});
    *valid = !list.empty();
    for (const Schema& name : list) {
      if (!name.is_string()) *valid = false;
      if (name.is_string()) add(name.get<std::string>());
    }
    if (std::find(types.begin(), types.end(), "number") != types.end()) {
      std::erase(types, "integer");
    }
    return types;
  }
  for (const auto& [key, value] : schema.items()) {
    if (const auto at = kTypeOfKeyword.find(key); at != kTypeOfKeyword.end()) {
      add(std::string(at->second));
    }
  }
  return types;
}

bool IsWhole(double value) { return std::abs(value) < 9e15 && value == std::trunc(value); }

}  // namespace

Result<std::vector<Schema>> SchemaCompiler::Alternatives(const Schema& schema, const char* keyword,
                                                         const std::string& pointer) {
  const Schema& list = schema[keyword];
  const std::string list_pointer = Below(pointer, keyword);
  if (!list.is_array() || list.empty()) {
    return InvalidInput(fmt::format("{} is not a list of schemas", keyword),
                        prefix_ + list_pointer);
  }
  Schema rest = Schema::object();
  for (const auto& [key, value] : schema.items()) {
    if (key != keyword && !IsAnnotation(key)) rest[key] = value;
  }
  // With nothing beside them, alternatives stay what they are: they may refer to themselves.
  const bool exclusive = std::string_view(keyword) == "oneOf" && list.size() > 1;
  std::vector<Schema> branches;
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string branch_pointer = Below(list_pointer, std::to_string(i));
    if (rest.empty() && !exclusive) {
      branches.push_back(list[i]);
      continue;
    }
    FM_ASSIGN_OR_RETURN(const Schema flat, Flatten(list[i], branch_pointer));
    FM_ASSIGN_OR_RETURN(Schema merged, Merge(rest, flat, branch_pointer));
    branches.push_back(std::move(merged));
  }
  if (exclusive) {
    FM_RETURN_IF_ERROR(CheckExclusive(branches, list_pointer));
    for (size_t i = 0; i < list.size() && rest.empty(); ++i) branches[i] = list[i];
  }
  return branches;
}

Result<NodeId> SchemaCompiler::AppendChoices(Nfa& nfa, NodeId from, const Schema& schema,
                                             const char* keyword, const std::string& pointer,
                                             int depth) {
  FM_ASSIGN_OR_RETURN(const std::vector<Schema> branches, Alternatives(schema, keyword, pointer));
  const NodeId to = nfa.AddNode();
  for (size_t i = 0; i < branches.size(); ++i) {
    // Where something stands beside the list, the alternative exists nowhere in the schema.
    const std::string where = Below(Below(pointer, keyword), std::to_string(i));
    FM_ASSIGN_OR_RETURN(const NodeId end, Append(nfa, from, branches[i], where, depth + 1));
    nfa.AddEmpty(end, to);
  }
  return to;
}

Status SchemaCompiler::CheckExclusive(const std::vector<Schema>& branches,
                                      const std::string& pointer) {
  for (size_t i = 0; i < branches.size(); ++i) {
    for (size_t j = 0; j < branches.size(); ++j) {
      if (i == j || NeverMatches(branches[i], branches[j])) continue;
      return Unsupported(pointer,
                         fmt::format("oneOf whose alternatives {} and {} may both hold is not "
                                     "supported (anyOf is)",
                                     i, j));
    }
  }
  return {};
}

Result<Schema> SchemaCompiler::ValuesOf(const Schema& schema, const std::string& pointer) {
  const auto one = schema.find("const"), list = schema.find("enum");
  if (one == schema.end() && list == schema.end()) return Schema(nullptr);
  if (list != schema.end() && !list->is_array()) {
    return InvalidInput("enum is not a list", prefix_ + Below(pointer, "enum"));
  }
  Schema values = one != schema.end() ? Schema::array({*one}) : *list;
  Schema kept = Schema::array();
  for (Schema& value : values) {
    if (one != schema.end() && list != schema.end() &&
        std::find(list->begin(), list->end(), value) == list->end()) {
      continue;
    }
    FM_ASSIGN_OR_RETURN(const bool satisfies, Satisfies(value, schema, pointer));
    if (satisfies) kept.push_back(std::move(value));
  }
  return kept;
}

Result<bool> SchemaCompiler::Satisfies(const Schema& value, const Schema& schema,
                                       const std::string& pointer) {
  bool valid = true;
  const auto is = [&](std::string_view type) {
    if (type == "integer") return value.is_number() && IsWhole(value.get<double>());
    if (type == "number") return value.is_number();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "null") return value.is_null();
    return type == "array" ? value.is_array() : value.is_object();
  };
  if (schema.contains("type")) {
    const auto types = TypesToWrite(schema, &valid);
    if (std::none_of(types.begin(), types.end(), is)) return false;
  }
  for (const auto& [key, unused] : schema.items()) {
    const auto type = kTypeOfKeyword.find(key);
    if (type == kTypeOfKeyword.end() || !is(type->second)) continue;
    if (value.is_structured()) {
      FM_RETURN_IF_ERROR(Unsupported(
          Below(pointer, key), fmt::format("'{}' beside enum or const is not supported", key)));
    } else if (value.is_string()) {
      FM_ASSIGN_OR_RETURN(const StringLimits limits, StringLimitsOf(schema, pointer));
      FM_ASSIGN_OR_RETURN(const Machine machine,
                          StringMachineOf(limits, TextEncoding::kUtf8, pointer));
      return Matches(machine, value.get_ref<const std::string&>());
    } else {
      FM_ASSIGN_OR_RETURN(const NumberRange range, NumberRangeOf(false, schema, pointer));
      const auto number = value.get<double>();
      const auto bound = [&](const char* name) { return schema[name].get<double>(); };
      if (schema.contains("minimum") && number < bound("minimum")) return false;
      if (schema.contains("maximum") && number > bound("maximum")) return false;
      if (schema.contains("exclusiveMinimum") && number <= bound("exclusiveMinimum")) return false;
      if (schema.contains("exclusiveMaximum") && number >= bound("exclusiveMaximum")) return false;
      return range.multiple_of == 1 ||
             (IsWhole(number) && static_cast<int64_t>(number) % range.multiple_of == 0);
    }
  }
  return true;
}

Result<NodeId> SchemaCompiler::AppendValues(Nfa& nfa, NodeId from, const Schema& values) {
  const NodeId to = nfa.AddNode();
  for (const Schema& value : values) {
    nfa.AddEmpty(context_.text.Value(nfa, from, value), to);
  }
  return to;
}

Result<NodeId> SchemaCompiler::AppendTypes(Nfa& nfa, NodeId from, const Schema& schema,
                                           const std::string& pointer, int depth) {
  bool valid = true;
  const std::vector<std::string> types = TypesToWrite(schema, &valid);
  if (!valid && !schema.contains("allOf")) {
    if (schema["type"] == Schema::array()) return nfa.AddNode();  // types that exclude each other
    return InvalidInput("type is neither a name nor a list of names",
                        prefix_ + Below(pointer, "type"));
  }
  if (types.empty()) return context_.text.AnyValue(nfa, from);
  const NodeId to = nfa.AddNode();
  for (const std::string& type : types) {
    FM_ASSIGN_OR_RETURN(const NodeId end, AppendType(nfa, from, type, schema, pointer, depth));
    nfa.AddEmpty(end, to);
  }
  return to;
}

Result<NodeId> SchemaCompiler::AppendType(Nfa& nfa, NodeId from, const std::string& type,
                                          const Schema& schema, const std::string& pointer,
                                          int depth) {
  if (type == "null") return nfa.Literal(from, "null");
  if (type == "boolean") return context_.text.Boolean(nfa, from);
  if (type == "string") return AppendString(nfa, from, schema, pointer);
  if (type == "number") return AppendNumber(nfa, from, false, schema, pointer);
  if (type == "integer") return AppendNumber(nfa, from, true, schema, pointer);
  if (type == "array") return AppendArray(nfa, from, schema, pointer, depth);
  if (type == "object") return AppendObject(nfa, from, schema, pointer, depth);
  return InvalidInput(fmt::format("there is no type {}", QuoteText(type)),
                      prefix_ + Below(pointer, "type"));
}

}  // namespace flashmoe::grammar
