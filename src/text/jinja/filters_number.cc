// Filters that yield numbers.
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "text/jinja/builtins.h"
#include "text/jinja/characters.h"
#include "text/jinja/iterate.h"
#include "text/jinja/operators.h"

namespace flashmoe::jinja {
namespace {

Result<Value> Abs(Budget&, const Value& value, const Args&) {
  if (value.IsUndefined()) return UndefinedError(value);
  if (value.IsFloat()) return Value::Float(std::fabs(value.float_value()));
  const auto i = value.AsInt();
  if (!i) {
    return InvalidInput(fmt::format("bad operand type for abs(): '{}'", value.TypeName()));
  }
  return *i < 0 ? Negate(value) : Value::Int(*i);
}

// Digits with single underscores between them; nothing if malformed.
std::optional<std::string> WithoutUnderscores(std::string_view text) {
  std::string digits;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      digits.push_back(text[i]);
    } else if (i == 0 || i + 1 == text.size() || text[i - 1] == '_' || text[i + 1] == '_') {
      return std::nullopt;
    }
  }
  return digits;
}

// Nothing for what is not a number; an error for what is too large a one.
Result<std::optional<int64_t>> ParseInt(std::string_view text, int64_t base) {
  text = StripLeft(StripRight(text));
  bool negative = false;
  if (text.starts_with('-') || text.starts_with('+')) {
    negative = text[0] == '-';
    text = text.substr(1);
  }
  const char kind = text.size() > 2 && text[0] == '0' ? static_cast<char>(text[1] | 0x20) : 0;
  const int64_t prefix_base = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 0;
  if (prefix_base != 0 && (base == 0 || base == prefix_base)) {
    base = prefix_base;
    text = text.substr(text[2] == '_' ? 3 : 2);
  } else if (base == 0) {
    base = 10;
  }
  const auto digits = WithoutUnderscores(text);
  if (!digits || digits->empty() || base < 2 || base > 36) return std::nullopt;
  const std::string signed_digits = (negative ? "-" : "") + *digits;
  int64_t result = 0;
  const char* end = signed_digits.data() + signed_digits.size();
  const auto parsed = std::from_chars(signed_digits.data(), end, result, static_cast<int>(base));
  if (parsed.ptr != end || parsed.ec == std::errc::invalid_argument) return std::nullopt;
  if (parsed.ec != std::errc()) return InvalidInput("an integer does not fit into 64 bits");
  return result;
}

std::optional<double> ParseFloat(std::string_view text) {
  auto digits = WithoutUnderscores(StripLeft(StripRight(text)));
  if (!digits || digits->empty()) return std::nullopt;
  std::string_view rest = *digits;
  bool negative = false;
  if (rest[0] == '-' || rest[0] == '+') {
    negative = rest[0] == '-';
    rest = rest.substr(1);
  }
  // from_chars also reads "nan(...)", which Python does not.
  if (rest.empty() || rest[0] == '-' || rest.find('(') != std::string_view::npos) {
    return std::nullopt;
  }
  double result = 0;
  const char* end = rest.data() + rest.size();
  const auto parsed = std::from_chars(rest.data(), end, result);
  if (parsed.ptr != end) return std::nullopt;
  if (parsed.ec == std::errc::result_out_of_range) {
    result = std::strtod(std::string(rest).c_str(), nullptr);  // infinity or zero, as in Python
  } else if (parsed.ec != std::errc()) {
    return std::nullopt;
  }
  return negative ? -result : result;
}

std::optional<int64_t> Truncated(double value) {
  const double whole = std::trunc(value);
  if (!(whole >= -9223372036854775808.0 && whole < 9223372036854775808.0)) return std::nullopt;
  return static_cast<int64_t>(whole);
}

Result<Value> Int(Budget& budget, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("int", args, {"default", "base"}));
  FM_ASSIGN_OR_RETURN(const int64_t base, bound.Int(1, 10));
  const Value fallback = bound.Get(0, Value::Int(0));
  if (value.IsUndefined()) return UndefinedError(value);
  if (value.AsInt()) return Value::Int(*value.AsInt());
  std::optional<double> number = value.AsDouble();
  if (value.IsText()) {
    FM_RETURN_IF_ERROR(budget.Work(1 + value.str().size() / 16));
    FM_ASSIGN_OR_RETURN(const std::optional<int64_t> parsed, ParseInt(value.str(), base));
    if (parsed) return Value::Int(*parsed);
    number = ParseFloat(value.str());
  }
  if (!number || std::isnan(*number)) return fallback;
  const auto truncated = Truncated(*number);
  if (!truncated) return InvalidInput("a float is too large for an integer");
  return Value::Int(*truncated);
}

Result<Value> Float(Budget& budget, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("float", args, {"default"}));
  if (value.IsUndefined()) return UndefinedError(value);
  std::optional<double> number = value.AsDouble();
  if (value.IsText()) {
    FM_RETURN_IF_ERROR(budget.Work(1 + value.str().size() / 16));
    number = ParseFloat(value.str());
  }
  return number ? Value::Float(*number) : bound.Get(0, Value::Float(0));
}

// Python's round(): to even on a tie of the exact decimal value.
double RoundHalfEven(double value, int precision) {
  if (!std::isfinite(value) || precision > 300) return value;
  if (precision < -308) return std::copysign(0.0, value);
  if (precision >= 0) {
    return std::strtod(fmt::format("{:.{}f}", value, precision).c_str(), nullptr);
  }
  const double scale = std::pow(10.0, -precision);
  return std::nearbyint(value / scale) * scale;
}

Result<Value> Round(Budget&, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("round", args, {"precision", "method"}));
  FM_ASSIGN_OR_RETURN(const int64_t precision, bound.HasSome(0) ? bound.Int(0, 0) : 0);
  FM_ASSIGN_OR_RETURN(const std::string_view method, bound.Str(1, "common"));
  if (method != "common" && method != "ceil" && method != "floor") {
    return InvalidInput("method must be common, ceil or floor");
  }
  if (value.IsUndefined()) return UndefinedError(value);
  if (!value.IsNumber()) {
    return InvalidInput(fmt::format("type {} doesn't define __round__ method", value.TypeName()));
  }
  if (precision < -400 || precision > 400) return InvalidInput("round(): precision out of range");
  const int digits = static_cast<int>(precision);
  if (method == "common") {
    // Ints stay ints in Python's round() with a precision.
    const double rounded = RoundHalfEven(*value.AsDouble(), digits);
    if (value.IsFloat() || digits < 0) {
      return value.IsFloat() ? Value::Float(rounded)
                             : Value::Int(Truncated(rounded).value_or(*value.AsInt()));
    }
    return Value::Int(*value.AsInt());
  }
  const double scale = std::pow(10.0, digits);
  const double scaled = *value.AsDouble() * scale;
  if (!std::isfinite(scaled)) return InvalidInput("cannot convert float infinity or NaN");
  return Value::Float((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

Result<Value> LengthOf(Budget&, const Value& value, const Args&) {
  const auto length = Length(value);
  if (!length) {
    return InvalidInput(fmt::format("object of type '{}' has no len()", value.TypeName()));
  }
  return Value::Int(*length);
}

Result<Value> WordCount(Budget& budget, const Value& value, const Args&) {
  FM_ASSIGN_OR_RETURN(const TextPtr text, ToText(budget, value));
  FM_RETURN_IF_ERROR(budget.Work(1 + text->bytes.size() / 16));
  int64_t words = 0;
  bool inside = false;
  for (size_t pos = 0; pos < text->bytes.size();) {
    const char32_t point = NextPoint(text->bytes, pos);
    const bool word = point == '_' || IsAlpha(point) || IsNumeric(point);
    words += word && !inside ? 1 : 0;
    inside = word;
  }
  return Value::Int(words);
}

}  // namespace

Filter FindNumberFilter(std::string_view name) {
  if (name == "abs") return Abs;
  if (name == "int") return Int;
  if (name == "float") return Float;
  if (name == "round") return Round;
  if (name == "length" || name == "count") return LengthOf;
  if (name == "wordcount") return WordCount;
  return nullptr;
}

}  // namespace flashmoe::jinja
