// A benchmark's report as one HTML file that needs nothing else: tables and inline SVG, light or
// dark as the reader's system is.
#pragma once

#include <string>

#include "measure/benchmark.h"

namespace flashmoe {

std::string HtmlPage(const BenchReport& report);

}  // namespace flashmoe
