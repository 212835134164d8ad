// Schemas that hold at the same time, as one schema.
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

#include "base/status.h"

namespace flashmoe::grammar {

using Schema = nlohmann::ordered_json;

// Keywords that say something about a value without narrowing it.
bool IsAnnotation(std::string_view keyword);

// What `a` and `b` both allow. References, allOf, anyOf and oneOf of either are kept, not looked
// into: properties of references must be there already (see SchemaCompiler::Flatten). Unsupported:
// two patterns, two formats and the like; `where` names the keyword below `pointer`.
Result<Schema> MergeSchemas(const Schema& a, const Schema& b, const std::string& pointer);

// "string", "object", ... of the values a flat schema can have, from `type`, `enum` and `const`;
// all of them if it does not say. An integer is also a "number" here, never "integer".
std::set<std::string> TypesOf(const Schema& schema);

// Whether no text that is made for `a` validates against `b`. Both are flat. False: not known.
bool NeverMatches(const Schema& a, const Schema& b);

// A pointer to a member.
std::string Below(const std::string& pointer, std::string_view member);
// Nodes and texts, as a measure of work.
size_t SizeOf(const Schema& schema);

}  // namespace flashmoe::grammar
