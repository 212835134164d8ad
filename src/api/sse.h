// Server-sent events.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "text/ordered_json.h"

namespace flashmoe {

inline std::string SseData(const nlohmann::ordered_json& json) {
  return "data: " + DumpJson(json) + "\n\n";
}

// An event whose name is its "type".
inline std::string SseEvent(const nlohmann::ordered_json& json) {
  return "event: " + json.at("type").get<std::string>() + "\n" + SseData(json);
}

}  // namespace flashmoe
