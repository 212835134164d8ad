// The library that parses JSON takes a NUL for the end of the text: whoever gives it a text from
// outside looks for one first.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "base/status.h"

namespace flashmoe {

inline Status RefuseNul(std::string_view json, const std::string& where = {}) {
  const size_t nul = json.find('\0');
  if (nul == json.npos) return {};
  return InvalidInput(fmt::format("malformed JSON at byte {}: a NUL", nul), where);
}

}  // namespace flashmoe
