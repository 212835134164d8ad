// What the files of flashmoe trace share.
#pragma once

#include "apps/flashmoe/command_line.h"
#include "experts/trace.h"

namespace flashmoe::cli {

// The trace's sizes.
nlohmann::ordered_json TraceToJson(const RoutingTrace& trace);

void AddSimulate(CLI::App& trace, int& exit_code);

}  // namespace flashmoe::cli
