// Python's ==, <, in and hash() over values.
#pragma once

#include <compare>

#include "text/jinja/value.h"

namespace flashmoe::jinja {

Result<bool> Equal(Budget& budget, const Value& a, const Value& b);
// Fails for types that Python cannot order; unordered with a NaN. `op` is for the error's text.
Result<std::partial_ordering> Order(Budget& budget, const Value& a, const Value& b,
                                    std::string_view op = "<");
Result<bool> Contains(Budget& budget, const Value& container, const Value& item);
uint64_t HashText(std::string_view text);
// Fails for unhashable types. Values that are equal hash alike.
Result<uint64_t> Hash(Budget& budget, const Value& value);
// The position of a key's entry.
Result<std::optional<size_t>> FindEntry(Budget& budget, const Dict& dict, const Value& key);
// Python's `is`.
bool Same(const Value& a, const Value& b);

}  // namespace flashmoe::jinja
