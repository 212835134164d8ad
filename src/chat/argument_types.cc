#include "chat/argument_types.h"

#include <cmath>
#include <optional>

#include "text/ordered_json.h"

namespace flashmoe {
namespace {

using Json = nlohmann::ordered_json;

// Schemas come from outside: they may refer to themselves, or be very wide.
constexpr int kSchemasMax = 200;

// The object of all arguments adds one, and stays within ParseOrderedJson's own limit.
constexpr size_t kDepthMax = 60;

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin);
}

uint32_t TypeNamed(const Json& name) {
  if (name == "string") return kJsonString;
  if (name == "integer") return kJsonInteger;
  if (name == "number") return kJsonNumber;
  if (name == "boolean") return kJsonBoolean;
  if (name == "object") return kJsonObject;
  if (name == "array") return kJsonArray;
  if (name == "null") return kJsonNull;
  return kJsonAny;
}

uint32_t TypeOf(const Json& value) {
  if (value.is_string()) return kJsonString;
  if (value.is_number_integer()) return kJsonInteger;
  if (value.is_number()) return kJsonNumber;
  if (value.is_boolean()) return kJsonBoolean;
  if (value.is_object()) return kJsonObject;
  if (value.is_array()) return kJsonArray;
  return kJsonNull;
}

const Json* Member(const Json& object, const std::string& key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

class TypeReader {
 public:
  explicit TypeReader(const Json& root) : root_(root) {}

  uint32_t Types(const Json& schema) {
    if (++schemas_ > kSchemasMax || !schema.is_object()) return kJsonAny;
    if (const Json* ref = Member(schema, "$ref")) {
      const Json* target = Target(*ref);
      return target != nullptr ? Types(*target) : uint32_t{kJsonAny};
    }
    if (const Json* type = Member(schema, "type")) {
      if (!type->is_array()) return TypeNamed(*type);
      uint32_t types = kJsonAny;
      for (const Json& name : *type) types |= TypeNamed(name);
      return types;
    }
    if (const Json* value = Member(schema, "const")) return TypeOf(*value);
    if (const Json* values = Member(schema, "enum"); values != nullptr && values->is_array()) {
      uint32_t types = kJsonAny;
      for (const Json& value : *values) types |= TypeOf(value);
      return types;
    }
    for (const char* choice : {"anyOf", "oneOf"}) {
      if (const Json* branches = Member(schema, choice)) return Union(*branches);
    }
    if (const Json* parts = Member(schema, "allOf"); parts != nullptr && parts->is_array()) {
      for (const Json& part : *parts) {
        if (const uint32_t types = Types(part); types != kJsonAny) return types;
      }
    }
    return Member(schema, "properties") != nullptr ? kJsonObject : kJsonAny;
  }

 private:
  // A branch that says nothing may be a string.
  uint32_t Union(const Json& branches) {
    if (!branches.is_array()) return kJsonAny;
    uint32_t types = kJsonAny;
    for (const Json& branch : branches) {
      const uint32_t more = Types(branch);
      types |= more == kJsonAny ? uint32_t{kJsonString} : more;
    }
    return types;
  }

  // "#/$defs/NAME" and "#/definitions/NAME".
  const Json* Target(const Json& ref) const {
    if (!ref.is_string()) return nullptr;
    const auto& path = ref.get_ref<const std::string&>();
    for (const std::string folder : {"$defs", "definitions"}) {
      const std::string prefix = "#/" + folder + "/";
      if (!path.starts_with(prefix)) continue;
      const Json* all = Member(root_, folder);
      return all != nullptr ? Member(*all, path.substr(prefix.size())) : nullptr;
    }
    return nullptr;
  }

  const Json& root_;
  int schemas_ = 0;
};

std::optional<bool> AsBoolean(std::string_view text) {
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  return std::nullopt;
}

bool IsIntegral(const Json& number) {
  if (number.is_number_integer()) return true;
  const double value = number.get<double>();
  return std::isfinite(value) && std::trunc(value) == value;
}

bool Allows(uint32_t types, const Json& value) {
  if (value.is_number()) {
    return (types & kJsonNumber) != 0 || ((types & kJsonInteger) != 0 && IsIntegral(value));
  }
  return !value.is_string() && (types & TypeOf(value)) != 0;
}

}  // namespace

uint32_t ParameterTypes(const Json& parameters, const std::string& name) {
  const Json* schema = nullptr;
  if (const Json* properties = Member(parameters, "properties")) schema = Member(*properties, name);
  if (schema == nullptr) schema = Member(parameters, "additionalProperties");
  return schema != nullptr ? TypeReader(parameters).Types(*schema) : uint32_t{kJsonAny};
}

std::string ArgumentJson(uint32_t types, std::string_view text) {
  const auto as_string = [text] { return "\"" + EscapeJson(text) + "\""; };
  if (IsPlainString(types)) return as_string();
  const std::string_view word = Trim(text);
  const bool null_fits = (types & kJsonNull) != 0 || (types & kJsonString) == 0;
  if (null_fits && (word == "null" || word == "None")) return "null";
  if ((types & kJsonBoolean) != 0) {
    if (const auto value = AsBoolean(word)) return *value ? "true" : "false";
  }
  const auto value = ParseOrderedJson(word, {.depth = kDepthMax});
  // As it was written: no digit of a number is lost.
  return value.has_value() && Allows(types, *value) ? std::string(word) : as_string();
}

}  // namespace flashmoe
