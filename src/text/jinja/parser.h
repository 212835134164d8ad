// Template source -> syntax tree.
#pragma once

#include <string_view>

#include "text/jinja/ast.h"

namespace flashmoe::jinja {

// Nesting of expressions and of blocks that a template may have, so that recursion stays bounded.
inline constexpr int kMaxExprHeight = 200;
inline constexpr int kMaxBlockDepth = 60;

Result<Body> Parse(std::string_view source);

}  // namespace flashmoe::jinja
