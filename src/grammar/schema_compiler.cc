#include "grammar/schema_compiler.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/utf8.h"

namespace flashmoe::grammar {
namespace {

constexpr size_t kSchemasMax = 50'000;
constexpr size_t kMergedBytesMax = 32 << 20;

// Keywords that are obeyed.
const std::set<std::string_view> kObeyed = {"$ref",
                                            "allOf",
                                            "anyOf",
                                            "oneOf",
                                            "type",
                                            "enum",
                                            "const",
                                            "properties",
                                            "required",
                                            "items",
                                            "prefixItems",
                                            "additionalProperties",
                                            "minItems",
                                            "maxItems",
                                            "minLength",
                                            "maxLength",
                                            "pattern",
                                            "format",
                                            "minimum",
                                            "maximum",
                                            "multipleOf",
                                            "minProperties",
                                            "maxProperties",
                                            "exclusiveMinimum",
                                            "exclusiveMaximum",
                                            "propertyNames",
                                            "patternProperties"};

// Of two keywords, those that have no meaning without the other are as good as absent.
bool HasNoEffect(const Schema& schema, const std::string& key, const Schema& value) {
  if (key == "uniqueItems") return value == false;
  if (key == "minContains" || key == "maxContains") return !schema.contains("contains");
  if (key == "then" || key == "else") return !schema.contains("if");
  if (key == "unevaluatedProperties") {
    // Objects with `properties` are closed already unless they say otherwise.
    return value == true || (value == false && schema.contains("properties") &&
                             !schema.contains("additionalProperties"));
  }
  if (key == "unevaluatedItems") return value == true;
  return false;
}

bool OnlyAnnotationsBeside(const Schema& schema, const char* keyword) {
  return std::all_of(schema.items().begin(), schema.items().end(), [&](const auto& item) {
    return item.key() == keyword || IsAnnotation(item.key());
  });
}

// What is obeyed of a schema, without some keywords.
Schema Obeyed(const Schema& schema, std::initializer_list<std::string_view> without = {}) {
  Schema rest = Schema::object();
  for (const auto& [key, value] : schema.items()) {
    const bool out = std::find(without.begin(), without.end(), key) != without.end();
    if (!out && kObeyed.contains(key)) rest[key] = value;
  }
  return rest;
}

// "%25" and "~1" in a pointer of a reference.
std::optional<std::string> Unescape(std::string_view part) {
  std::string text;
  for (size_t i = 0; i < part.size(); ++i) {
    if (part[i] == '~') {
      if (++i == part.size() || (part[i] != '0' && part[i] != '1')) return std::nullopt;
      text += part[i] == '0' ? '~' : '/';
    } else if (part[i] == '%') {
      unsigned byte = 0;
      if (i + 2 >= part.size() + 0 && i + 2 > part.size() - 1) return std::nullopt;
      if (std::sscanf(std::string(part.substr(i + 1, 2)).c_str(), "%2x", &byte) != 1) {
        return std::nullopt;
      }
      text += static_cast<char>(byte);
      i += 2;
    } else {
      text += part[i];
    }
  }
  return text;
}

const Schema* Member(const Schema& value, const std::string& name) {
  if (value.is_object()) {
    const auto found = value.find(name);
    return found == value.end() ? nullptr : &*found;
  }
  if (!value.is_array() || name.empty() || name.size() > 6) return nullptr;
  if (name.find_first_not_of("0123456789") != name.npos) return nullptr;
  const size_t index = std::stoul(name);
  return index < value.size() ? &value[index] : nullptr;
}

}  // namespace

SchemaCompiler::SchemaCompiler(SchemaContext context, const Schema& root,
                               std::string pointer_prefix)
    : context_(context), root_(root), prefix_(std::move(pointer_prefix)) {}

Status SchemaCompiler::Unsupported(const std::string& pointer, std::string_view what) {
  if (context_.lenient) {
    auto& dropped = context_.dropped;
    const std::string where = prefix_ + pointer;
    if (std::find(dropped.begin(), dropped.end(), where) == dropped.end()) dropped.push_back(where);
    return {};
  }
  return Fail(ErrorCode::kUnsupported, std::string(what), prefix_ + pointer,
              "leave it out or write it another way");
}

Status SchemaCompiler::CheckKeywords(const Schema& schema, const std::string& pointer) {
  for (const auto& [key, value] : schema.items()) {
    if (kObeyed.contains(key) || HasNoEffect(schema, key, value)) continue;
    if (IsAnnotation(key) && !(key == "$id" && !pointer.empty())) continue;
    FM_RETURN_IF_ERROR(Unsupported(Below(pointer, key),
                                   fmt::format("the keyword {} is not supported", QuoteText(key))));
  }
  return {};
}

Status SchemaCompiler::CheckBudget(const Nfa& nfa, const std::string& pointer, int depth) {
  if (nfa.Overflowed() || context_.builder.IsFull()) {
    const GrammarLimits& limits = context_.builder.limits();
    return Fail(ErrorCode::kUnsupported,
                fmt::format("the grammar needs more than {} states", limits.states),
                prefix_ + pointer, "use smaller lengths and counts, or a smaller schema");
  }
  if (++schemas_ > kSchemasMax || merged_bytes_ > kMergedBytesMax) {
    return Fail(ErrorCode::kUnsupported, "the schema is too large with all its alternatives",
                prefix_ + pointer, "use fewer alternatives, or $ref for what is repeated");
  }
  if (depth > context_.builder.limits().schema_depth) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("schemas are nested more than {} deep", context_.builder.limits().schema_depth),
        prefix_ + pointer, "use $ref for inner ones");
  }
  return {};
}

Result<const Schema*> SchemaCompiler::Resolve(const Schema& reference,
                                              const std::string& pointer) const {
  const std::string where = prefix_ + Below(pointer, "$ref");
  if (!reference.is_string()) return InvalidInput("a reference is not a text", where);
  const std::string& text = reference.get_ref<const std::string&>();
  if (text != "#" && !text.starts_with("#/")) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("the reference {} leaves the schema", QuoteText(text)), where,
                "use a pointer such as #/$defs/name");
  }
  const Schema* at = &root_;
  for (size_t begin = 1; begin < text.size();) {
    const size_t end = std::min(text.find('/', begin + 1), text.size());
    const auto name = Unescape(std::string_view(text).substr(begin + 1, end - begin - 1));
    at = name ? Member(*at, *name) : nullptr;
    if (at == nullptr) {
      return InvalidInput(fmt::format("the reference {} leads nowhere", QuoteText(text)), where);
    }
    begin = end;
  }
  return at;
}

Result<RuleId> SchemaCompiler::RuleOf(const Schema& reference, const std::string& pointer) {
  FM_ASSIGN_OR_RETURN(const Schema* target, Resolve(reference, pointer));
  const auto text = reference.get<std::string>();
  const auto [at, fresh] = references_.try_emplace(text, 0);
  if (fresh) {
    at->second = context_.builder.Reserve();
    undefined_.push_back({at->second, {target, text.substr(1)}});
  }
  return at->second;
}

Status SchemaCompiler::DefineReferences() {
  while (!undefined_.empty()) {
    const auto [rule, item] = undefined_.front();
    undefined_.pop_front();
    Nfa nfa = context_.builder.NewNfa();
    FM_ASSIGN_OR_RETURN(const NodeId end, Append(nfa, 0, *item.schema, item.pointer));
    context_.builder.Define(rule, nfa, end);
  }
  return {};
}

Result<RuleId> SchemaCompiler::NewRule(const Schema& schema, const std::string& pointer,
                                       int depth) {
  if (schema.is_object() && schema.contains("$ref") && OnlyAnnotationsBeside(schema, "$ref")) {
    return RuleOf(schema["$ref"], pointer);
  }
  const RuleId rule = context_.builder.Reserve();
  Nfa nfa = context_.builder.NewNfa();
  FM_ASSIGN_OR_RETURN(const NodeId end, Append(nfa, 0, schema, pointer, depth));
  context_.builder.Define(rule, nfa, end);
  return rule;
}

Result<Schema> SchemaCompiler::Merge(const Schema& a, const Schema& b, const std::string& pointer) {
  merged_bytes_ += SizeOf(a) + SizeOf(b);
  if (merged_bytes_ > kMergedBytesMax) {
    return Fail(ErrorCode::kUnsupported, "the schema is too large with all its alternatives",
                prefix_ + pointer);
  }
  Result<Schema> merged = MergeSchemas(a, b, pointer);
  if (merged.has_value() || merged.error().code != ErrorCode::kUnsupported) return merged;
  const Error& error = merged.error();
  FM_RETURN_IF_ERROR(Unsupported(error.where, error.what));
  Schema rest = b;
  rest.erase(error.where.substr(error.where.rfind('/') + 1));
  return Merge(a, rest, pointer);
}

Result<Schema> SchemaCompiler::Flatten(const Schema& schema, const std::string& pointer,
                                       int depth) {
  if (!schema.is_object()) return schema;
  FM_RETURN_IF_ERROR(CheckKeywords(schema, pointer));
  if (depth > context_.builder.limits().schema_depth) {
    return Fail(ErrorCode::kUnsupported, "references or allOf are nested too deeply, or endlessly",
                prefix_ + pointer);
  }
  const bool has_ref = schema.contains("$ref"), has_all = schema.contains("allOf");
  if (!has_ref && !has_all) return Obeyed(schema);
  Schema merged = Obeyed(schema, {"$ref", "allOf"});
  const auto add = [&](const Schema& part, const std::string& where) -> Status {
    FM_ASSIGN_OR_RETURN(const Schema flat, Flatten(part, where, depth + 1));
    FM_ASSIGN_OR_RETURN(merged, Merge(merged, flat, pointer));
    return {};
  };
  if (has_ref) {
    FM_ASSIGN_OR_RETURN(const Schema* target, Resolve(schema["$ref"], pointer));
    FM_RETURN_IF_ERROR(add(*target, schema["$ref"].get<std::string>().substr(1)));
  }
  if (has_all) {
    const Schema& all = schema["allOf"];
    if (!all.is_array() || all.empty()) {
      return InvalidInput("allOf is not a list of schemas", prefix_ + Below(pointer, "allOf"));
    }
    for (size_t i = 0; i < all.size(); ++i) {
      FM_RETURN_IF_ERROR(add(all[i], Below(Below(pointer, "allOf"), std::to_string(i))));
    }
  }
  // What two parts could not say as one is in a new allOf: alternatives beside alternatives, which
  // are merged when one of them has been chosen.
  return merged;
}

Result<NodeId> SchemaCompiler::Append(Nfa& nfa, NodeId from, const Schema& schema,
                                      const std::string& pointer, int depth) {
  FM_RETURN_IF_ERROR(CheckBudget(nfa, pointer, depth));
  if (schema == true) return context_.text.AnyValue(nfa, from);
  if (schema == false) return nfa.AddNode();  // which nothing leads to
  if (!schema.is_object()) {
    return InvalidInput("a schema is neither an object nor a boolean", prefix_ + pointer);
  }
  if (schema.contains("$ref") && OnlyAnnotationsBeside(schema, "$ref")) {
    FM_ASSIGN_OR_RETURN(const RuleId rule, RuleOf(schema["$ref"], pointer));
    return nfa.Call(from, rule);
  }
  if (schema.contains("allOf") && schema["allOf"].is_array() && schema["allOf"].size() == 1 &&
      OnlyAnnotationsBeside(schema, "allOf")) {
    return Append(nfa, from, schema["allOf"][0], Below(Below(pointer, "allOf"), "0"), depth + 1);
  }
  FM_ASSIGN_OR_RETURN(const Schema flat, Flatten(schema, pointer));
  if (!flat.is_object()) return Append(nfa, from, flat, pointer, depth + 1);
  for (const char* keyword : {"anyOf", "oneOf"}) {
    if (flat.contains(keyword)) return AppendChoices(nfa, from, flat, keyword, pointer, depth);
  }
  FM_ASSIGN_OR_RETURN(const Schema values, ValuesOf(flat, pointer));
  if (values.is_array()) return AppendValues(nfa, from, values);
  return AppendTypes(nfa, from, flat, pointer, depth);
}

}  // namespace flashmoe::grammar
