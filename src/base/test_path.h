// For tests: where a test's own file may lie. Tests run side by side, each in its own process.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <string_view>

namespace flashmoe {

inline std::string TestPath(std::string_view name) {
  return fmt::format("{}/flashmoe_{}_{}", ::testing::TempDir(), getpid(), name);
}

}  // namespace flashmoe
