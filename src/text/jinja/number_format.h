// Python's format specifications: "[[fill]align][sign][#][0][width][,][.precision][type]".
#pragma once

#include <cstdint>
#include <string_view>

#include "text/jinja/value.h"

namespace flashmoe::jinja {

struct FormatSpec {
  char32_t fill = ' ';
  char align = 0;  // '<', '>', '^', '=' or 0 for the type's own
  char sign = '-';
  bool alternate = false;
  char grouping = 0;  // ',' or '_'
  int64_t width = 0;
  int precision = -1;
  char type = 0;
};

Result<FormatSpec> ParseFormatSpec(std::string_view text);
// Reads decimal digits at `pos`; fails past a million.
Result<int64_t> ReadCount(std::string_view text, size_t& pos);

// format(value, spec)
Status AppendFormatted(TextBuilder& out, const Value& value, const FormatSpec& spec);
Status AppendPadded(TextBuilder& out, std::string_view body, const FormatSpec& spec,
                    char default_align);

}  // namespace flashmoe::jinja
