// A benchmark's figures as a table for people, as JSON and as CSV.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "measure/benchmark.h"

namespace flashmoe::cli {

std::string ReportText(const BenchReport& report);
nlohmann::ordered_json ReportJson(const BenchReport& report);
std::string ReportCsv(const BenchReport& report);  // a row for each run

nlohmann::ordered_json MachineToJson(const MachineSpeed& machine);
nlohmann::ordered_json RoofsToJson(const Roofs& roofs);

}  // namespace flashmoe::cli
