#include "text/jinja/number_format.h"

#include <fmt/format.h>

#include <cmath>

#include "text/jinja/characters.h"
#include "text/jinja/repr.h"
#include "text/utf8.h"

namespace flashmoe::jinja {
namespace {

constexpr int kMaxPrecision = 1000;

bool IsAlign(char c) { return c == '<' || c == '>' || c == '^' || c == '='; }

void Group(std::string& digits, char separator, size_t every) {
  const size_t whole = std::min(digits.find_first_not_of("0123456789abcdefABCDEF"), digits.size());
  for (size_t i = whole; i > every; i -= every) digits.insert(i - every, 1, separator);
}

std::string SignOf(bool negative, char style) {
  if (negative) return "-";
  return style == '-' ? "" : std::string(1, style);
}

// Sign and digits with padding between or around them.
Status AppendNumber(TextBuilder& out, const std::string& sign, const std::string& digits,
                    const FormatSpec& spec) {
  if (spec.align != '=') return AppendPadded(out, sign + digits, spec, '>');
  FM_RETURN_IF_ERROR(out.Append(sign));
  FormatSpec rest = spec;
  rest.align = '>';
  rest.width -= static_cast<int64_t>(sign.size());
  return AppendPadded(out, digits, rest, '>');
}

std::string IntDigits(uint64_t magnitude, char type) {
  switch (type) {
    case 'x':
      return fmt::format("{:x}", magnitude);
    case 'X':
      return fmt::format("{:X}", magnitude);
    case 'o':
      return fmt::format("{:o}", magnitude);
    case 'b':
      return fmt::format("{:b}", magnitude);
    default:
      return fmt::format("{}", magnitude);
  }
}

Status AppendInt(TextBuilder& out, int64_t value, const FormatSpec& spec) {
  if (spec.precision >= 0) return InvalidInput("precision is not allowed for integers");
  if (spec.type == 'c') {
    if (value < 0 || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
      return InvalidInput("%c needs a character's number");
    }
    std::string character;
    AppendUtf8(static_cast<char32_t>(value), character);
    return AppendPadded(out, character, spec, '<');
  }
  const uint64_t magnitude =
      value < 0 ? ~static_cast<uint64_t>(value) + 1 : static_cast<uint64_t>(value);
  std::string digits = IntDigits(magnitude, spec.type);
  const bool decimal = spec.type == 'd' || spec.type == 0 || spec.type == 'n';
  if (spec.grouping != 0) Group(digits, spec.grouping, decimal ? 3 : 4);
  std::string sign = SignOf(value < 0, spec.sign);
  if (spec.alternate && !decimal) sign += std::string("0") + spec.type;
  return AppendNumber(out, sign, digits, spec);
}

std::string FloatDigits(double magnitude, const FormatSpec& spec) {
  const int precision = spec.precision < 0 ? 6 : spec.precision;
  switch (spec.type) {
    case 'f':
    case 'F':
      return spec.alternate ? fmt::format("{:#.{}f}", magnitude, precision)
                            : fmt::format("{:.{}f}", magnitude, precision);
    case '%':
      return fmt::format("{:.{}f}%", magnitude * 100, precision);
    case 'e':
      return fmt::format("{:.{}e}", magnitude, precision);
    case 'E':
      return fmt::format("{:.{}E}", magnitude, precision);
    case 'G':
      return fmt::format("{:.{}G}", magnitude, precision == 0 ? 1 : precision);
    default:
      break;
  }
  if (spec.type == 0 && spec.precision < 0) return FloatRepr(magnitude);
  std::string digits = spec.alternate ? fmt::format("{:#.{}g}", magnitude, std::max(precision, 1))
                                      : fmt::format("{:.{}g}", magnitude, std::max(precision, 1));
  if (spec.type == 0 && digits.find_first_of(".en") == std::string::npos) digits += ".0";
  return digits;
}

Status AppendFloat(TextBuilder& out, double value, const FormatSpec& spec) {
  if (spec.type != 0 && std::string_view("eEfFgGn%").find(spec.type) == std::string_view::npos) {
    return InvalidInput(
        fmt::format("unknown format code '{}' for object of type 'float'", spec.type));
  }
  std::string digits = FloatDigits(std::fabs(value), spec);
  if (spec.grouping != 0 && std::isfinite(value)) Group(digits, spec.grouping, 3);
  return AppendNumber(out, SignOf(std::signbit(value) && !std::isnan(value), spec.sign), digits,
                      spec);
}

Status AppendText(TextBuilder& out, std::string_view text, const FormatSpec& spec) {
  if (spec.type != 0 && spec.type != 's') {
    return InvalidInput(
        fmt::format("unknown format code '{}' for object of type 'str'", spec.type));
  }
  if (spec.align == '=' || spec.sign != '-' || spec.alternate || spec.grouping != 0) {
    return InvalidInput("a format for numbers was given a string");
  }
  if (spec.precision >= 0) text = text.substr(0, ByteOffset(text, spec.precision));
  return AppendPadded(out, text, spec, '<');
}

}  // namespace

Result<int64_t> ReadCount(std::string_view text, size_t& pos) {
  int64_t count = 0;
  for (; pos < text.size() && text[pos] >= '0' && text[pos] <= '9'; ++pos) {
    count = count * 10 + (text[pos] - '0');
    if (count > 1'000'000) return InvalidInput("a width in a format is too large");
  }
  return count;
}

Result<FormatSpec> ParseFormatSpec(std::string_view text) {
  FormatSpec spec;
  size_t pos = 0;
  if (!text.empty()) {
    size_t after_fill = 0;
    const char32_t fill = NextPoint(text, after_fill);
    if (after_fill < text.size() && IsAlign(text[after_fill])) {
      spec.fill = fill;
      spec.align = text[after_fill];
      pos = after_fill + 1;
    } else if (IsAlign(text[0])) {
      spec.align = text[pos++];
    }
  }
  const auto take = [&](std::string_view any) -> char {
    if (pos >= text.size() || any.find(text[pos]) == std::string_view::npos) return 0;
    return text[pos++];
  };
  if (const char sign = take("+- ")) spec.sign = sign;
  spec.alternate = take("#") != 0;
  if (take("0") != 0 && spec.align == 0) {
    spec.fill = '0';
    spec.align = '=';
  }
  FM_ASSIGN_OR_RETURN(spec.width, ReadCount(text, pos));
  spec.grouping = take(",_");
  if (take(".") != 0) {
    const size_t begin = pos;
    FM_ASSIGN_OR_RETURN(const int64_t precision, ReadCount(text, pos));
    if (pos == begin) return InvalidInput("a format lacks its precision");
    spec.precision = static_cast<int>(precision);
  }
  spec.type = take("bcdeEfFgGnosxX%");
  if (pos != text.size()) {
    return InvalidInput(fmt::format("invalid format specifier '{}'", text.substr(0, 100)));
  }
  return spec;
}

Status AppendPadded(TextBuilder& out, std::string_view body, const FormatSpec& spec,
                    char default_align) {
  const int64_t missing = std::max<int64_t>(spec.width - CountPoints(body), 0);
  const char align = spec.align == 0 ? default_align : spec.align;
  const int64_t before = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
  for (int64_t i = 0; i < before; ++i) FM_RETURN_IF_ERROR(out.AppendPoint(spec.fill));
  FM_RETURN_IF_ERROR(out.Append(body));
  for (int64_t i = before; i < missing; ++i) FM_RETURN_IF_ERROR(out.AppendPoint(spec.fill));
  return {};
}

Status AppendFormatted(TextBuilder& out, const Value& value, const FormatSpec& spec) {
  if (spec.precision > kMaxPrecision && !value.IsText()) {
    return InvalidInput("a precision in a format is too large");
  }
  FM_RETURN_IF_ERROR(out.budget().Work(1 + static_cast<uint64_t>(spec.width)));
  if (value.IsText()) return AppendText(out, value.str(), spec);
  const auto integer = value.AsInt();
  const bool as_int =
      spec.type == 0 || std::string_view("bcdoxXn").find(spec.type) != std::string_view::npos;
  const bool plain_bool = value.IsBool() && spec.type == 0 && spec.width == 0;
  if (integer && as_int && !plain_bool) return AppendInt(out, *integer, spec);
  if (value.IsNumber() && !plain_bool) return AppendFloat(out, *value.AsDouble(), spec);
  if (spec.width != 0 || spec.type != 0 || spec.precision >= 0 || spec.align != 0) {
    return InvalidInput(
        fmt::format("unsupported format string passed to {}.__format__", value.TypeName()));
  }
  return AppendStr(out, value);
}

}  // namespace flashmoe::jinja
