// Python's `format % values`.
#include <fmt/format.h>

#include <cmath>

#include "text/jinja/characters.h"
#include "text/jinja/compare.h"
#include "text/jinja/number_format.h"
#include "text/jinja/operators.h"
#include "text/jinja/repr.h"

namespace flashmoe::jinja {
namespace {

class PercentFormatter {
 public:
  PercentFormatter(Budget& budget, const Text& format, const Value& values)
      : out_(budget), format_(format.bytes), markup_(format.markup), values_(values) {}

  Result<Value> Run() {
    while (pos_ < format_.size()) {
      const size_t percent = std::min(format_.find('%', pos_), format_.size());
      FM_RETURN_IF_ERROR(out_.Append(format_.substr(pos_, percent - pos_)));
      pos_ = percent + 1;
      if (percent < format_.size()) FM_RETURN_IF_ERROR(Field());
    }
    const bool is_tuple = values_.IsList() && values_.list()->is_tuple();
    const bool all_used =
        is_tuple ? next_ == values_.list()->items.size()
                 : next_ == 1 || values_.IsDict() || values_.IsList() || values_.IsUndefined();
    if (!all_used) return InvalidInput("not all arguments converted during string formatting");
    return std::move(out_).Finish(markup_);
  }

 private:
  char Peek() const { return pos_ < format_.size() ? format_[pos_] : '\0'; }

  Status Field() {
    if (Peek() == '%') {
      ++pos_;
      return out_.Append("%");
    }
    std::optional<Value> keyed;
    if (Peek() == '(') {
      FM_ASSIGN_OR_RETURN(keyed, KeyedValue());
    }
    FM_ASSIGN_OR_RETURN(FormatSpec spec, ReadFlags());
    while (Peek() == 'h' || Peek() == 'l' || Peek() == 'L') ++pos_;
    const char type = Peek();
    if (type == '\0') return InvalidInput("incomplete format");
    ++pos_;
    if (type == '%') return out_.Append("%");
    if (keyed) return Convert(*keyed, type, spec);
    FM_ASSIGN_OR_RETURN(const Value value, NextValue());
    return Convert(value, type, spec);
  }

  Result<Value> KeyedValue() {
    const size_t end = format_.find(')', pos_);
    if (end == std::string_view::npos) return InvalidInput("incomplete format key");
    if (!values_.IsDict()) return InvalidInput("format requires a mapping");
    const std::string_view key = format_.substr(pos_ + 1, end - pos_ - 1);
    pos_ = end + 1;
    next_ = 1;
    const Value* found = values_.dict()->Find(key);
    if (found == nullptr) {
      return InvalidInput(fmt::format("the format's key '{}' is missing", key.substr(0, 100)));
    }
    return *found;
  }

  Result<Value> NextValue() {
    const bool is_tuple = values_.IsList() && values_.list()->is_tuple();
    const size_t available = is_tuple ? values_.list()->items.size() : 1;
    if (next_ >= available) return InvalidInput("not enough arguments for format string");
    const size_t index = next_++;
    return is_tuple ? values_.list()->items[index] : values_;
  }

  Result<int64_t> ReadNumber() {
    if (Peek() != '*') return ReadCount(format_, pos_);
    ++pos_;
    FM_ASSIGN_OR_RETURN(const Value value, NextValue());
    const auto number = value.AsInt();
    if (!number) return InvalidInput("* wants int");
    if (*number < -1'000'000 || *number > 1'000'000) {
      return InvalidInput("a width in a format is too large");
    }
    return *number;
  }

  Result<FormatSpec> ReadFlags() {
    FormatSpec spec;
    spec.align = '>';
    bool zero = false;
    for (bool more = true; more;) {
      const char flag = Peek();
      if (flag == '-') {
        spec.align = '<';
      } else if (flag == '+' || (flag == ' ' && spec.sign != '+')) {
        spec.sign = flag;
      } else if (flag == '#') {
        spec.alternate = true;
      } else if (flag == '0') {
        zero = true;
      } else {
        more = flag == ' ';
      }
      if (more) ++pos_;
    }
    FM_ASSIGN_OR_RETURN(spec.width, ReadNumber());
    if (spec.width < 0) {
      spec.align = '<';
      spec.width = -spec.width;
    }
    if (Peek() == '.') {
      ++pos_;
      FM_ASSIGN_OR_RETURN(const int64_t precision, ReadNumber());
      spec.precision = static_cast<int>(std::max<int64_t>(precision, 0));
    }
    zero_pad_ = zero && spec.align != '<';
    return spec;
  }

  Status Convert(const Value& value, char type, FormatSpec spec) {
    switch (type) {
      case 's':
      case 'r':
      case 'a':
        return ConvertText(value, type, spec);
      case 'c':
        return ConvertCharacter(value, spec);
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o':
        return ConvertInt(value, type, spec);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        return ConvertFloat(value, type, spec);
      default:
        return InvalidInput(fmt::format("unsupported format character '{}'",
                                        type > ' ' && type < 0x7F ? type : '?'));
    }
  }

  Status ConvertText(const Value& value, char type, FormatSpec spec) {
    TextBuilder body(out_.budget());
    FM_RETURN_IF_ERROR(type == 's' ? AppendStr(body, value) : AppendRepr(body, value));
    FM_ASSIGN_OR_RETURN(TextPtr text,
                        std::move(body).FinishPtr(value.IsText() && value.text()->markup));
    if (markup_) {
      FM_ASSIGN_OR_RETURN(text, EscapeHtml(out_.budget(), text));
    }
    std::string_view bytes = text->bytes;
    if (spec.precision >= 0) bytes = bytes.substr(0, ByteOffset(bytes, spec.precision));
    return AppendPadded(out_, bytes, spec, '>');
  }

  Status ConvertCharacter(const Value& value, FormatSpec spec) {
    if (value.IsText() && value.text()->points == 1) {
      return AppendPadded(out_, value.str(), spec, '>');
    }
    if (!value.AsInt()) return InvalidInput("%c requires int or char");
    spec.type = 'c';
    spec.precision = -1;
    return AppendFormatted(out_, value, spec);
  }

  Status ConvertInt(const Value& value, char type, FormatSpec spec) {
    Value number = value;
    const bool hex_or_octal = type == 'x' || type == 'X' || type == 'o';
    if (value.IsFloat() && !hex_or_octal) {
      const double whole = std::trunc(value.float_value());
      if (!(std::fabs(whole) < 9.2e18)) return InvalidInput("a float is too large for %d");
      number = Value::Int(static_cast<int64_t>(whole));
    }
    if (!number.AsInt()) {
      return InvalidInput(
          fmt::format("%{} format: a number is required, not {}", type, value.TypeName()));
    }
    spec.type = hex_or_octal ? type : 'd';
    if (zero_pad_) {
      spec.align = '=';
      spec.fill = '0';
    }
    if (spec.precision > 0) return AppendPrecise(*number.AsInt(), spec);
    spec.precision = -1;
    return AppendFormatted(out_, number, spec);
  }

  // "%.5d": at least so many digits.
  Status AppendPrecise(int64_t number, FormatSpec spec) {
    FormatSpec digits = spec;
    digits.precision = -1;
    digits.align = '=';
    digits.fill = '0';
    const bool has_sign = number < 0 || spec.sign != '-';
    digits.width = spec.precision + (has_sign ? 1 : 0);
    TextBuilder body(out_.budget());
    FM_RETURN_IF_ERROR(AppendFormatted(body, Value::Int(number), digits));
    if (spec.align == '=') spec.align = '>';
    return AppendPadded(out_, body.bytes(), spec, '>');
  }

  Status ConvertFloat(const Value& value, char type, FormatSpec spec) {
    if (!value.IsNumber()) {
      return InvalidInput(fmt::format("must be real number, not {}", value.TypeName()));
    }
    spec.type = type;
    if (zero_pad_) {
      spec.align = '=';
      spec.fill = '0';
    }
    return AppendFormatted(out_, Value::Float(*value.AsDouble()), spec);
  }

  TextBuilder out_;
  std::string_view format_;
  bool markup_;
  const Value& values_;
  size_t pos_ = 0;
  size_t next_ = 0;
  bool zero_pad_ = false;
};

}  // namespace

Result<Value> PercentFormat(Budget& budget, const Text& format, const Value& values) {
  return PercentFormatter(budget, format, values).Run();
}

}  // namespace flashmoe::jinja
