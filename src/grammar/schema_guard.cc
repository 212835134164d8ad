#include "grammar/schema_guard.h"

#include <fmt/format.h>

#include "grammar/schema_merge.h"

namespace flashmoe::grammar {
namespace {

bool IsFlatterThan(const Schema& schema, int levels) {
  if (!schema.is_structured()) return true;
  if (levels == 0) return false;
  for (const Schema& member : schema) {
    if (!IsFlatterThan(member, levels - 1)) return false;
  }
  return true;
}

}  // namespace

Status CheckSize(const Schema& schema, const GrammarLimits& limits, const std::string& where) {
  const int levels = limits.schema_depth * 4;  // a schema lies in a list in a keyword
  if (!IsFlatterThan(schema, levels)) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("the schema is nested more than {} levels deep", levels), where);
  }
  if (SizeOf(schema) > limits.schema_bytes) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("the schema is larger than {} bytes", limits.schema_bytes), where,
                "leave out what is not needed");
  }
  return {};
}

}  // namespace flashmoe::grammar
