// A regular expression as a tree.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "grammar/char_class.h"

namespace flashmoe::grammar {

struct Regex {
  enum class Kind : uint8_t { kSequence, kAlternatives, kRepeat, kChar, kTextStart, kTextEnd };
  static constexpr uint32_t kUnbounded = UINT32_MAX;

  Kind kind = Kind::kSequence;
  std::vector<Regex> parts = {};  // kSequence (may be empty), kAlternatives; kRepeat: one
  uint32_t least = 0, most = 0;   // kRepeat
  CharClass chars = {};           // kChar
};

Result<Regex> ParseRegex(std::string_view pattern, int depth_max);

}  // namespace flashmoe::grammar
