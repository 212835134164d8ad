#include "text/jinja/repr.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "text/jinja/characters.h"
#include "text/utf8.h"

namespace flashmoe::jinja {
namespace {

// "d.ddde+XX" of std::to_chars as digits and the decimal exponent of the first one.
struct Decimal {
  std::string digits;
  int exponent = 0;
};

Decimal Shortest(double value) {
  char buffer[64];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  Decimal decimal;
  const char* at = buffer;
  for (; at != end && *at != 'e'; ++at) {
    if (*at != '.') decimal.digits.push_back(*at);
  }
  if (at != end) ++at;
  if (at != end && *at == '+') ++at;
  std::from_chars(at, end, decimal.exponent);
  return decimal;
}

char QuoteFor(std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  return has_single && text.find('"') == std::string_view::npos ? '"' : '\'';
}

void AppendQuotedPoint(std::string& out, char32_t point, char quote) {
  if (point == static_cast<char32_t>(quote) || point == '\\') {
    out.push_back('\\');
    out.push_back(static_cast<char>(point));
  } else if (point == '\n') {
    out += "\\n";
  } else if (point == '\r') {
    out += "\\r";
  } else if (point == '\t') {
    out += "\\t";
  } else if (IsPrintable(point)) {
    AppendUtf8(point, out);
  } else if (point < 0x100) {
    out += fmt::format("\\x{:02x}", static_cast<uint32_t>(point));
  } else if (point < 0x10000) {
    out += fmt::format("\\u{:04x}", static_cast<uint32_t>(point));
  } else {
    out += fmt::format("\\U{:08x}", static_cast<uint32_t>(point));
  }
}

Status AppendItems(TextBuilder& out, const List& list, char open, char close) {
  FM_RETURN_IF_ERROR(out.Append(open, 1));
  for (size_t i = 0; i < list.items.size(); ++i) {
    if (i > 0) FM_RETURN_IF_ERROR(out.Append(", "));
    FM_RETURN_IF_ERROR(AppendRepr(out, list.items[i]));
  }
  if (list.is_tuple() && list.items.size() == 1) FM_RETURN_IF_ERROR(out.Append(","));
  return out.Append(close, 1);
}

Status AppendListRepr(TextBuilder& out, const List& list, std::string_view type_name) {
  switch (list.kind) {
    case ListKind::kList:
      return AppendItems(out, list, '[', ']');
    case ListKind::kTuple:
    case ListKind::kGroup:
      return AppendItems(out, list, '(', ')');
    case ListKind::kGenerator:
      return out.Append("<generator object>");
    case ListKind::kRange:
      return out.Append(list.step == 1
                            ? fmt::format("range({}, {})", list.start, list.stop)
                            : fmt::format("range({}, {}, {})", list.start, list.stop, list.step));
    case ListKind::kKeys:
    case ListKind::kValues:
    case ListKind::kItems:
      break;
  }
  FM_RETURN_IF_ERROR(out.Append(type_name));
  FM_RETURN_IF_ERROR(out.Append("(["));
  for (size_t i = 0; i < list.items.size(); ++i) {
    if (i > 0) FM_RETURN_IF_ERROR(out.Append(", "));
    FM_RETURN_IF_ERROR(AppendRepr(out, list.items[i]));
  }
  return out.Append("])");
}

Status AppendDictRepr(TextBuilder& out, const Dict& dict) {
  FM_RETURN_IF_ERROR(out.Append("{"));
  for (size_t i = 0; i < dict.entries.size(); ++i) {
    if (i > 0) FM_RETURN_IF_ERROR(out.Append(", "));
    FM_RETURN_IF_ERROR(AppendRepr(out, dict.entries[i].first));
    FM_RETURN_IF_ERROR(out.Append(": "));
    FM_RETURN_IF_ERROR(AppendRepr(out, dict.entries[i].second));
  }
  return out.Append("}");
}

Status AppendTextRepr(TextBuilder& out, std::string_view text) {
  const char quote = QuoteFor(text);
  FM_RETURN_IF_ERROR(out.Append(quote, 1));
  std::string escaped;
  for (size_t pos = 0; pos < text.size();) {
    escaped.clear();
    while (pos < text.size() && escaped.size() < 4096) {
      AppendQuotedPoint(escaped, NextPoint(text, pos), quote);
    }
    FM_RETURN_IF_ERROR(out.Append(escaped));
  }
  return out.Append(quote, 1);
}

}  // namespace

std::string FloatRepr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::string out = std::signbit(value) ? "-" : "";
  Decimal decimal = Shortest(std::fabs(value));
  std::string& digits = decimal.digits;
  const int exponent = decimal.exponent;
  if (exponent < -4 || exponent >= 16) {
    out += digits.substr(0, 1);
    if (digits.size() > 1) out.append(1, '.').append(digits, 1);
    return out + fmt::format("e{}{:02}", exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0) {
    return out + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  }
  const auto whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole) digits.append(whole - digits.size() + 1, '0');
  return out + digits.substr(0, whole) + "." + digits.substr(whole);
}

std::string TextRepr(std::string_view text) {
  const char quote = QuoteFor(text);
  std::string out(1, quote);
  for (size_t pos = 0; pos < text.size();) AppendQuotedPoint(out, NextPoint(text, pos), quote);
  return out + quote;
}

Status AppendRepr(TextBuilder& out, const Value& value) {
  if (value.IsUndefined()) return out.Append("Undefined");
  if (value.IsText()) {
    if (!value.text()->markup) return AppendTextRepr(out, value.str());
    FM_RETURN_IF_ERROR(out.Append("Markup("));
    FM_RETURN_IF_ERROR(AppendTextRepr(out, value.str()));
    return out.Append(")");
  }
  if (value.IsList()) return AppendListRepr(out, *value.list(), value.TypeName());
  if (value.IsDict()) return AppendDictRepr(out, *value.dict());
  return AppendStr(out, value);
}

Status AppendStr(TextBuilder& out, const Value& value) {
  if (value.IsUndefined()) return {};
  if (value.IsNone()) return out.Append("None");
  if (value.IsBool()) return out.Append(value.bool_value() ? "True" : "False");
  if (value.IsInt()) return out.Append(fmt::format("{}", *value.AsInt()));
  if (value.IsFloat()) return out.Append(FloatRepr(value.float_value()));
  if (value.IsText()) return out.Append(value.str());
  if (value.IsObject()) return value.object()->Describe(out);
  return AppendRepr(out, value);
}

std::string Shown(const Value& value) {
  Budget budget(10'000, 2'000, kMaxNesting);
  TextBuilder out(budget);
  if (value.IsText()) {
    return TextRepr(value.str().substr(0, ByteOffset(value.str(), 100)));
  }
  if (!AppendRepr(out, value).has_value()) return fmt::format("a {}", value.TypeName());
  return std::move(out).Release();
}

}  // namespace flashmoe::jinja
