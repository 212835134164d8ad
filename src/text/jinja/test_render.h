// For tests: renders a template with any variables.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "text/jinja/interpreter.h"
#include "text/jinja/json_value.h"
#include "text/jinja/parser.h"

namespace flashmoe::jinja {

struct TestLimits {
  uint64_t steps = 2'000'000;
  uint64_t value_bytes = 64 << 20;
  RenderLimits render;
};

inline Result<std::string> RenderForTest(
    std::string_view source,
    const nlohmann::ordered_json& context = nlohmann::ordered_json::object(),
    const TestLimits& limits = {}) {
  FM_ASSIGN_OR_RETURN(const Body body, Parse(source));
  Budget budget(limits.steps, limits.value_bytes);
  FM_ASSIGN_OR_RETURN(const Value variables, FromJson(budget, context));
  Interpreter interpreter(budget, limits.render, *variables.dict());
  return interpreter.Run(body);
}

}  // namespace flashmoe::jinja
