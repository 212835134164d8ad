// For tests: where a test's own file or folder may lie. Tests run side by side, each in its own
// process.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace flashmoe {

inline std::string TestPath(std::string_view name) {
  return std::filesystem::path(::testing::TempDir()) /
         fmt::format("flashmoe_{}_{}", getpid(), name);
}

}  // namespace flashmoe
