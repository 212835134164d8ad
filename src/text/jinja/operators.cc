#include "text/jinja/operators.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace flashmoe::jinja {
namespace {

std::unexpected<Error> Overflow() { return InvalidInput("an integer does not fit into 64 bits"); }

std::string_view Symbol(BinaryOp op) {
  switch (op) {
    case BinaryOp::kAdd:
      return "+";
    case BinaryOp::kSubtract:
      return "-";
    case BinaryOp::kMultiply:
      return "*";
    case BinaryOp::kDivide:
      return "/";
    case BinaryOp::kFloorDivide:
      return "//";
    case BinaryOp::kModulo:
      return "%";
    case BinaryOp::kPower:
      return "**";
  }
  return "?";
}

Result<Value> FloatPower(double a, double b) {
  if (a == 0 && b < 0) return InvalidInput("0.0 cannot be raised to a negative power");
  const double result = std::pow(a, b);
  if (std::isnan(result) && !std::isnan(a) && !std::isnan(b)) {
    return InvalidInput("complex numbers are not supported");
  }
  if (std::isinf(result) && std::isfinite(a) && std::isfinite(b)) {
    return InvalidInput("a power is too large");
  }
  return Value::Float(result);
}

Result<Value> IntPower(int64_t a, int64_t b) {
  if (b < 0) return FloatPower(static_cast<double>(a), static_cast<double>(b));
  int64_t result = 1;
  int64_t square = a;
  for (; b > 0; b >>= 1) {
    if ((b & 1) != 0 && __builtin_mul_overflow(result, square, &result)) return Overflow();
    if (b > 1 && __builtin_mul_overflow(square, square, &square)) return Overflow();
  }
  return Value::Int(result);
}

Result<Value> IntDivision(BinaryOp op, int64_t a, int64_t b) {
  if (b == 0) return InvalidInput("division by zero");
  if (op == BinaryOp::kDivide) {
    return Value::Float(static_cast<double>(a) / static_cast<double>(b));
  }
  if (b == -1) {  // the one divisor that can overflow
    if (op == BinaryOp::kModulo) return Value::Int(0);
    if (a == std::numeric_limits<int64_t>::min()) return Overflow();
    return Value::Int(-a);
  }
  // Python rounds down and gives the remainder the divisor's sign.
  const bool adjust = a % b != 0 && (a < 0) != (b < 0);
  if (op == BinaryOp::kModulo) return Value::Int(a % b + (adjust ? b : 0));
  return Value::Int(a / b - (adjust ? 1 : 0));
}

Result<Value> ApplyInts(BinaryOp op, int64_t a, int64_t b) {
  int64_t result = 0;
  bool overflow = false;
  switch (op) {
    case BinaryOp::kAdd:
      overflow = __builtin_add_overflow(a, b, &result);
      break;
    case BinaryOp::kSubtract:
      overflow = __builtin_sub_overflow(a, b, &result);
      break;
    case BinaryOp::kMultiply:
      overflow = __builtin_mul_overflow(a, b, &result);
      break;
    case BinaryOp::kPower:
      return IntPower(a, b);
    default:
      return IntDivision(op, a, b);
  }
  if (overflow) return Overflow();
  return Value::Int(result);
}

Result<Value> FloatDivision(BinaryOp op, double a, double b) {
  if (b == 0) return InvalidInput("float division by zero");
  if (op == BinaryOp::kDivide) return Value::Float(a / b);
  double remainder = std::fmod(a, b);
  if (remainder != 0 && (remainder < 0) != (b < 0)) {
    remainder += b;
  } else if (remainder == 0) {
    remainder = std::copysign(0.0, b);
  }
  if (op == BinaryOp::kModulo) return Value::Float(remainder);
  const double quotient = (a - remainder) / b;
  if (quotient == 0) return Value::Float(std::copysign(0.0, a / b));
  const double floor = std::floor(quotient);
  return Value::Float(quotient - floor > 0.5 ? floor + 1 : floor);
}

Result<Value> ApplyFloats(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kAdd:
      return Value::Float(a + b);
    case BinaryOp::kSubtract:
      return Value::Float(a - b);
    case BinaryOp::kMultiply:
      return Value::Float(a * b);
    case BinaryOp::kPower:
      return FloatPower(a, b);
    default:
      return FloatDivision(op, a, b);
  }
}

Result<Value> Concatenate(Budget& budget, const TextPtr& a, const TextPtr& b) {
  const bool markup = a->markup || b->markup;
  TextPtr left = a;
  TextPtr right = b;
  if (markup) {
    FM_ASSIGN_OR_RETURN(left, EscapeHtml(budget, a));
    FM_ASSIGN_OR_RETURN(right, EscapeHtml(budget, b));
  }
  TextBuilder out(budget);
  FM_RETURN_IF_ERROR(out.Append(left->bytes));
  FM_RETURN_IF_ERROR(out.Append(right->bytes));
  return std::move(out).Finish(markup);
}

Result<Value> JoinLists(Budget& budget, const List& a, const List& b) {
  ListBuilder out(budget, a.kind == ListKind::kList ? ListKind::kList : ListKind::kTuple);
  for (const List* part : {&a, &b}) {
    for (const Value& item : part->items) FM_RETURN_IF_ERROR(out.Push(item));
  }
  return std::move(out).Finish();
}

// The operand of `sequence * int`: a string, list or tuple.
bool IsRepeatable(const Value& value) {
  return value.IsText() ||
         (value.IsList() && (value.list()->kind == ListKind::kList || value.list()->is_tuple()));
}

Result<Value> Repeat(Budget& budget, const Value& sequence, int64_t times) {
  const auto count = static_cast<uint64_t>(std::max<int64_t>(times, 0));
  if (sequence.IsText()) {
    TextBuilder out(budget);
    const std::string_view text = sequence.str();
    if (text.size() == 1) {
      FM_RETURN_IF_ERROR(out.Append(text[0], count));
    } else if (!text.empty()) {
      for (uint64_t i = 0; i < count; ++i) FM_RETURN_IF_ERROR(out.Append(text));
    }
    return std::move(out).Finish(sequence.text()->markup);
  }
  const List& list = *sequence.list();
  ListBuilder out(budget, list.kind == ListKind::kList ? ListKind::kList : ListKind::kTuple);
  for (uint64_t i = 0; i < count && !list.items.empty(); ++i) {
    for (const Value& item : list.items) FM_RETURN_IF_ERROR(out.Push(item));
  }
  return std::move(out).Finish();
}

bool AreJoinable(const Value& a, const Value& b) {
  if (!a.IsList() || !b.IsList()) return false;
  return (a.list()->kind == ListKind::kList && b.list()->kind == ListKind::kList) ||
         (a.list()->is_tuple() && b.list()->is_tuple());
}

}  // namespace

std::unexpected<Error> UndefinedError(const Value& value) {
  return InvalidInput(value.reason() ? value.reason()->bytes : "a value is undefined");
}

Result<Value> Apply(Budget& budget, BinaryOp op, const Value& a, const Value& b) {
  if (op == BinaryOp::kModulo && a.IsText()) return PercentFormat(budget, *a.text(), b);
  if (a.IsUndefined()) return UndefinedError(a);
  if (b.IsUndefined()) return UndefinedError(b);
  if (a.IsNumber() && b.IsNumber()) {
    if (a.IsFloat() || b.IsFloat()) return ApplyFloats(op, *a.AsDouble(), *b.AsDouble());
    return ApplyInts(op, *a.AsInt(), *b.AsInt());
  }
  if (op == BinaryOp::kAdd && a.IsText() && b.IsText()) {
    return Concatenate(budget, a.text(), b.text());
  }
  if (op == BinaryOp::kAdd && AreJoinable(a, b)) return JoinLists(budget, *a.list(), *b.list());
  if (op == BinaryOp::kMultiply) {
    if (IsRepeatable(a) && b.AsInt()) return Repeat(budget, a, *b.AsInt());
    if (IsRepeatable(b) && a.AsInt()) return Repeat(budget, b, *a.AsInt());
  }
  if (op == BinaryOp::kAdd && a.IsText()) {
    return InvalidInput(fmt::format("can only concatenate str (not \"{}\") to str", b.TypeName()));
  }
  return InvalidInput(fmt::format("unsupported operand type(s) for {}: '{}' and '{}'", Symbol(op),
                                  a.TypeName(), b.TypeName()));
}

Result<Value> Negate(const Value& value) {
  if (value.IsFloat()) return Value::Float(-value.float_value());
  if (const auto i = value.AsInt()) return ApplyInts(BinaryOp::kSubtract, 0, *i);
  if (value.IsUndefined()) return UndefinedError(value);
  return InvalidInput(fmt::format("bad operand type for unary -: '{}'", value.TypeName()));
}

Result<Value> Plus(const Value& value) {
  if (value.IsFloat()) return value;
  if (const auto i = value.AsInt()) return Value::Int(*i);
  if (value.IsUndefined()) return UndefinedError(value);
  return InvalidInput(fmt::format("bad operand type for unary +: '{}'", value.TypeName()));
}

Result<TextPtr> EscapeHtml(Budget& budget, const TextPtr& text) {
  if (text->markup) return text;
  TextBuilder out(budget);
  const std::string_view bytes = text->bytes;
  size_t begin = 0;
  while (begin < bytes.size()) {
    const size_t special = std::min(bytes.find_first_of("&<>\"'", begin), bytes.size());
    FM_RETURN_IF_ERROR(out.Append(bytes.substr(begin, special - begin)));
    begin = special + 1;
    if (special == bytes.size()) break;
    const char c = bytes[special];
    FM_RETURN_IF_ERROR(out.Append(c == '&'   ? "&amp;"
                                  : c == '<' ? "&lt;"
                                  : c == '>' ? "&gt;"
                                  : c == '"' ? "&#34;"
                                             : "&#39;"));
  }
  return std::move(out).FinishPtr(true);
}

}  // namespace flashmoe::jinja
