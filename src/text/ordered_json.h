// JSON from outside, in its own order, within limits.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/status.h"

namespace flashmoe {

struct JsonLimits {
  size_t bytes = size_t{32} << 20;
  size_t values = size_t{1} << 20;  // of all kinds, at about 32 bytes of memory each
  size_t depth = 64;
};

// Malformed text, doubled keys, invalid UTF-8, numbers that no double can hold, or more of anything
// than the limits allow: an error that says where in the text.
Result<nlohmann::ordered_json> ParseOrderedJson(std::string_view text,
                                                const JsonLimits& limits = {});

// On one line, whatever the strings hold: what is not UTF-8 becomes U+FFFD.
std::string DumpJson(const nlohmann::ordered_json& json);

// What stands between the quotes of the JSON string `text`.
std::string EscapeJson(std::string_view text);

}  // namespace flashmoe
