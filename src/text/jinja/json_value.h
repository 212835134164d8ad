// JSON -> template values.
#pragma once

#include <nlohmann/json.hpp>

#include "text/jinja/value.h"

namespace flashmoe::jinja {

Result<Value> FromJson(Budget& budget, const nlohmann::ordered_json& json);

}  // namespace flashmoe::jinja
