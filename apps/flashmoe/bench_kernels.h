// The part of flashmoe bench that needs no model.
#pragma once

#include <CLI/CLI.hpp>

namespace flashmoe::cli {

void AddBenchKernels(CLI::App& bench, int& exit_code);

}  // namespace flashmoe::cli
