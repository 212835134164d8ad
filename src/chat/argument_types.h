// XML calls write every argument as text; the tool's schema says what it means.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace flashmoe {

// JSON types that a schema allows, as bits.
enum JsonTypes : uint32_t {
  kJsonAny = 0,  // the schema does not say
  kJsonString = 1,
  kJsonInteger = 2,
  kJsonNumber = 4,
  kJsonBoolean = 8,
  kJsonObject = 16,
  kJsonArray = 32,
  kJsonNull = 64,
};

// Those of the parameter `name` of a function whose parameters have the schema `parameters`.
uint32_t ParameterTypes(const nlohmann::ordered_json& parameters, const std::string& name);

// Whether a value is a string whatever it holds.
inline bool IsPlainString(uint32_t types) { return types == kJsonAny || types == kJsonString; }

// The JSON text of an argument written as `text`: a value of one of `types` if it is one, otherwise
// the string. REQUIRES: nothing of the text; it may be anything.
std::string ArgumentJson(uint32_t types, std::string_view text);

}  // namespace flashmoe
