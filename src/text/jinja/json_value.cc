#include "text/jinja/json_value.h"

#include <fmt/format.h>

#include <limits>

#include "text/jinja/characters.h"
#include "text/utf8.h"

namespace flashmoe::jinja {
namespace {

Result<Value> Convert(Budget& budget, const nlohmann::ordered_json& json, int depth) {
  if (depth > kMaxNesting) {
    return InvalidInput(fmt::format("the request nests more than {} deep", kMaxNesting));
  }
  if (json.is_null()) return Value::None();
  if (json.is_boolean()) return Value::Bool(json.get<bool>());
  if (json.is_number_unsigned()) {
    const auto number = json.get<uint64_t>();
    return number <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())
               ? Value::Int(static_cast<int64_t>(number))
               : Value::Float(static_cast<double>(number));
  }
  if (json.is_number_integer()) return Value::Int(json.get<int64_t>());
  if (json.is_number_float()) return Value::Float(json.get<double>());
  if (json.is_string()) {
    const auto& text = json.get_ref<const std::string&>();
    if (!IsValidUtf8(text)) return InvalidInput("a string of the request is not valid UTF-8");
    return MakeText(budget, text);
  }
  if (json.is_array()) {
    ListBuilder out(budget);
    for (const auto& item : json) {
      FM_ASSIGN_OR_RETURN(Value value, Convert(budget, item, depth + 1));
      FM_RETURN_IF_ERROR(out.Push(std::move(value)));
    }
    return std::move(out).Finish();
  }
  if (!json.is_object()) return InvalidInput("the request holds binary data");
  DictBuilder out(budget);
  for (const auto& [key, member] : json.items()) {
    if (!IsValidUtf8(key)) return InvalidInput("a name in the request is not valid UTF-8");
    FM_ASSIGN_OR_RETURN(Value value, Convert(budget, member, depth + 1));
    FM_RETURN_IF_ERROR(out.Put(key, std::move(value)));
  }
  return std::move(out).Finish();
}

}  // namespace

Result<Value> FromJson(Budget& budget, const nlohmann::ordered_json& json) {
  return Convert(budget, json, 1);
}

}  // namespace flashmoe::jinja
