// Attributes, items and slices, as the reference's sandbox gives them.
#pragma once

#include "text/jinja/args.h"
#include "text/jinja/value.h"

namespace flashmoe::jinja {

// value.name: a method, then a dict's entry, else undefined.
Result<Value> GetAttribute(Budget& budget, const Value& value, std::string_view name);
// As above without a dict's entries (the filter `attr`).
Result<std::optional<Value>> GetMember(Budget& budget, const Value& value, std::string_view name);
// value[key]: an entry or item, then a method, else undefined.
Result<Value> GetItem(Budget& budget, const Value& value, const Value& key);
// "a.b.0" as the `attribute` parameter of filters means it.
Result<Value> GetPath(Budget& budget, const Value& value, const Value& path);
// value[start:stop:step]; None for what is left out.
Result<Value> GetSlice(Budget& budget, const Value& value, const Value& start, const Value& stop,
                       const Value& step);

using Method = Result<Value> (*)(Budget& budget, const Value& self, const Args& args);
// The method of a string, list or dict; null if it has none of that name.
Method FindTextMethod(std::string_view name);
Method FindListMethod(std::string_view name);
Method FindDictMethod(std::string_view name);
Method FindTupleMethod(std::string_view name);
// Calls a method without binding it first; nothing if there is none.
Method FindMethod(const Value& value, std::string_view name);

}  // namespace flashmoe::jinja
