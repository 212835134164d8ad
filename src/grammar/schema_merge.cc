#include "grammar/schema_merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace flashmoe::grammar {
namespace {

constexpr std::array<std::string_view, 18> kAnnotations = {"title",
                                                           "description",
                                                           "default",
                                                           "examples",
                                                           "example",
                                                           "deprecated",
                                                           "readOnly",
                                                           "writeOnly",
                                                           "$comment",
                                                           "$schema",
                                                           "$id",
                                                           "$defs",
                                                           "definitions",
                                                           "$anchor",
                                                           "contentEncoding",
                                                           "contentMediaType",
                                                           "contentSchema",
                                                           "strict"};

bool IsNumber(const Schema& a, const Schema& b) { return a.is_number() && b.is_number(); }

// Values that both lists hold, in the order of the first.
Schema Common(const Schema& a, const Schema& b) {
  Schema common = Schema::array();
  for (const Schema& value : a) {
    if (std::find(b.begin(), b.end(), value) != b.end()) common.push_back(value);
  }
  return common;
}

Schema AsList(const Schema& value) { return value.is_array() ? value : Schema::array({value}); }

Schema CommonTypes(const Schema& a, const Schema& b) {
  Schema common = Schema::array();
  for (const Schema& x : AsList(a)) {
    for (const Schema& y : AsList(b)) {
      if (x == y || (x == "integer" && y == "number")) common.push_back(x);
      if (x == "number" && y == "integer") common.push_back(y);
    }
  }
  return common;
}

Schema Both(const Schema& a, const Schema& b) {
  if (a == b || b == true) return a;
  if (a == true) return b;
  Schema both;
  both["allOf"] = Schema::array({a, b});
  return both;
}

void MergeMembers(Schema& into, const Schema& from) {
  for (const auto& [name, schema] : from.items()) {
    into[name] = into.contains(name) ? Both(into[name], schema) : schema;
  }
}

// One keyword that both schemas have; what cannot become one value goes to `also`, a list of
// schemas. False: there is no rule for these two values.
bool MergeKeyword(const std::string& key, const Schema& a, const Schema& b, Schema& out,
                  Schema& also) {
  static const std::set<std::string_view> kLeast = {"minLength", "minItems", "minimum",
                                                    "minProperties", "exclusiveMinimum"};
  static const std::set<std::string_view> kMost = {"maxLength", "maxItems", "maximum",
                                                   "maxProperties", "exclusiveMaximum"};
  if (a == b) {
    out[key] = a;
  } else if (kLeast.contains(key) && IsNumber(a, b)) {
    out[key] = std::max(a, b);
  } else if (kMost.contains(key) && IsNumber(a, b)) {
    out[key] = std::min(a, b);
  } else if (key == "type") {
    out[key] = CommonTypes(a, b);
  } else if (key == "enum" && a.is_array() && b.is_array()) {
    out[key] = Common(a, b);
  } else if (key == "required" && a.is_array() && b.is_array()) {
    out[key] = a;
    for (const Schema& name : b) {
      if (std::find(a.begin(), a.end(), name) == a.end()) out[key].push_back(name);
    }
  } else if ((key == "properties" || key == "patternProperties") && a.is_object() &&
             b.is_object()) {
    out[key] = a;
    MergeMembers(out[key], b);
  } else if (key == "items" || key == "additionalProperties" || key == "propertyNames") {
    out[key] = Both(a, b);
  } else if (key == "anyOf" || key == "oneOf" || key == "$ref" || key == "const") {
    out[key] = a;
    if (key == "const") {
      out["enum"] = Schema::array();  // two different values: none
    } else {
      also.push_back(Schema{{key, b}});
    }
  } else {
    return false;
  }
  return true;
}

// `additionalProperties` of `closed` speaks of what `other` declares and `closed` does not.
void Restrict(Schema& properties, const Schema& closed, const Schema& other) {
  const auto rest = closed.find("additionalProperties");
  const auto declared = other.find("properties");
  if (rest == closed.end() || declared == other.end() || !declared->is_object()) return;
  const auto own = closed.find("properties");
  for (const auto& [name, schema] : declared->items()) {
    if (own != closed.end() && own->contains(name)) continue;
    properties[name] = Both(properties[name], *rest);
  }
}

const Schema* Find(const Schema& schema, const char* key) {
  const auto found = schema.find(key);
  return found == schema.end() ? nullptr : &*found;
}

bool Requires(const Schema& schema, const Schema& name) {
  const Schema* required = Find(schema, "required");
  return required != nullptr && required->is_array() &&
         std::find(required->begin(), required->end(), name) != required->end();
}

bool Declares(const Schema& schema, const std::string& name) {
  const Schema* properties = Find(schema, "properties");
  return properties != nullptr && properties->contains(name);
}

// `a` never has a member that `b` needs, or always one that `b` forbids, or one with another value.
bool ObjectsNeverMatch(const Schema& a, const Schema& b) {
  const Schema* a_rest = Find(a, "additionalProperties");
  const Schema* b_rest = Find(b, "additionalProperties");
  const bool a_closed = (a_rest == nullptr ? a.contains("properties") : *a_rest == false) &&
                        !a.contains("patternProperties");
  const bool b_closed = b_rest != nullptr && *b_rest == false && !b.contains("patternProperties");
  if (const Schema* needed = Find(b, "required"); needed != nullptr && a_closed) {
    for (const Schema& name : *needed) {
      if (!name.is_string()) continue;
      if (!Declares(a, name.get<std::string>()) && !Requires(a, name)) return true;
    }
  }
  if (const Schema* given = Find(a, "required"); given != nullptr) {
    for (const Schema& name : *given) {
      if (!name.is_string()) continue;
      const auto key = name.get<std::string>();
      if (b_closed && !Declares(b, key)) return true;
      if (Declares(a, key) && Declares(b, key) &&
          NeverMatches(a["properties"][key], b["properties"][key])) {
        return true;
      }
    }
  }
  return false;
}

// `enum` or `const` as a list; null if there is neither.
Schema ValuesOf(const Schema& schema) {
  if (const Schema* value = Find(schema, "const")) return Schema::array({*value});
  if (const Schema* values = Find(schema, "enum"); values != nullptr && values->is_array()) {
    return *values;
  }
  return nullptr;
}

std::string TypeName(const Schema& value) {
  if (value.is_null()) return "null";
  if (value.is_boolean()) return "boolean";
  if (value.is_number()) return "number";
  if (value.is_string()) return "string";
  return value.is_array() ? "array" : "object";
}

}  // namespace

bool IsAnnotation(std::string_view keyword) {
  return keyword.starts_with("x-") ||
         std::find(kAnnotations.begin(), kAnnotations.end(), keyword) != kAnnotations.end();
}

std::string Below(const std::string& pointer, std::string_view member) {
  std::string below = pointer + "/";
  for (const char c : member) {
    if (c == '~') {
      below += "~0";
    } else if (c == '/') {
      below += "~1";
    } else {
      below += c;
    }
  }
  return below;
}

size_t SizeOf(const Schema& schema) {
  size_t size = 8;
  if (schema.is_string()) size += schema.get_ref<const std::string&>().size();
  if (!schema.is_structured()) return size;
  for (const auto& [key, member] : schema.items()) {
    size += SizeOf(member) + (schema.is_object() ? key.size() : 0);
  }
  return size;
}

Result<Schema> MergeSchemas(const Schema& a, const Schema& b, const std::string& pointer) {
  if (a == true || b == false) return b;
  if (b == true || a == false) return a;
  if (!a.is_object() || !b.is_object()) {
    return InvalidInput("a schema must be an object or a boolean", pointer);
  }
  Schema out = Schema::object();
  Schema also = Schema::array();
  for (const Schema* schema : {&a, &b}) {
    const Schema* all = Find(*schema, "allOf");
    if (all != nullptr && all->is_array()) also.insert(also.end(), all->begin(), all->end());
  }
  for (const auto& [key, value] : a.items()) {
    if (IsAnnotation(key) || key == "allOf") continue;
    const Schema* other = Find(b, key.c_str());
    if (other == nullptr) {
      out[key] = value;
    } else if (!MergeKeyword(key, value, *other, out, also)) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("two different values of '{}' for one value are not supported", key),
                  Below(pointer, key), "write them as one");
    }
  }
  for (const auto& [key, value] : b.items()) {
    if (IsAnnotation(key) || key == "allOf" || a.contains(key)) continue;
    out[key] = key == "enum" && out.contains(key) ? Common(out[key], AsList(value)) : value;
  }
  if (!also.empty()) out["allOf"] = std::move(also);
  if (out.contains("properties") && out["properties"].is_object()) {
    Restrict(out["properties"], a, b);
    Restrict(out["properties"], b, a);
  }
  return out;
}

std::set<std::string> TypesOf(const Schema& schema) {
  std::set<std::string> types;
  if (const Schema values = ValuesOf(schema); values.is_array()) {
    for (const Schema& value : values) types.insert(TypeName(value));
    return types;
  }
  if (const Schema* type = schema.is_object() ? Find(schema, "type") : nullptr) {
    for (const Schema& name : AsList(*type)) {
      if (name.is_string()) types.insert(name == "integer" ? "number" : name.get<std::string>());
    }
    return types;
  }
  return {"null", "boolean", "number", "string", "array", "object"};
}

bool NeverMatches(const Schema& a, const Schema& b) {
  if (a == false || b == false) return true;
  if (!a.is_object() || !b.is_object()) return false;
  for (const char* key : {"$ref", "allOf", "anyOf", "oneOf"}) {
    if (a.contains(key) || b.contains(key)) return false;
  }
  const std::set<std::string> a_types = TypesOf(a), b_types = TypesOf(b);
  std::set<std::string> shared;
  std::set_intersection(a_types.begin(), a_types.end(), b_types.begin(), b_types.end(),
                        std::inserter(shared, shared.end()));
  if (shared.empty()) return true;
  const Schema a_values = ValuesOf(a), b_values = ValuesOf(b);
  if (a_values.is_array() && b_values.is_array()) return Common(a_values, b_values).empty();
  return shared == std::set<std::string>{"object"} && ObjectsNeverMatch(a, b);
}

}  // namespace flashmoe::grammar
