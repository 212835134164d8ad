// Python's arithmetic on values, and the string formatting that `%` and str.format() do.
#pragma once

#include "text/jinja/args.h"
#include "text/jinja/value.h"

namespace flashmoe::jinja {

enum class BinaryOp { kAdd, kSubtract, kMultiply, kDivide, kFloorDivide, kModulo, kPower };

Result<Value> Apply(Budget& budget, BinaryOp op, const Value& a, const Value& b);
Result<Value> Negate(const Value& value);
Result<Value> Plus(const Value& value);

// `format % values`
Result<Value> PercentFormat(Budget& budget, const Text& format, const Value& values);
// format.format(*args)
Result<Value> BraceFormat(Budget& budget, const Text& format, const Args& args);

// & < > " ' as HTML entities; a text that is markup already stays.
Result<TextPtr> EscapeHtml(Budget& budget, const TextPtr& text);
// The error that any use of an undefined value raises.
std::unexpected<Error> UndefinedError(const Value& value);

}  // namespace flashmoe::jinja
