// How values print: Python's str() and repr(), and JSON.
#pragma once

#include <string>

#include "text/jinja/value.h"

namespace flashmoe::jinja {

// Python's shortest text that reads back as the same float: "1.0", "1e+16", "nan".
std::string FloatRepr(double value);
std::string TextRepr(std::string_view text);
Status AppendStr(TextBuilder& out, const Value& value);
Status AppendRepr(TextBuilder& out, const Value& value);
// The repr of a value in an error's text: cut short, never failing.
std::string Shown(const Value& value);

// Python's json.dumps.
struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  std::optional<std::string> indent;  // one level
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};
Status AppendJson(TextBuilder& out, const Value& value, const JsonStyle& style);

}  // namespace flashmoe::jinja
