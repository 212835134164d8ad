// Keeps schemas out that are too large to be looked at.
#pragma once

#include <string>

#include "base/status.h"
#include "grammar/grammar.h"

namespace flashmoe::grammar {

Status CheckSize(const nlohmann::ordered_json& schema, const GrammarLimits& limits,
                 const std::string& where);

}  // namespace flashmoe::grammar
