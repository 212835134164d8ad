// Python's str.format(): "{}", "{0}", "{name.attribute[key]!r:>10}".
#include <fmt/format.h>

#include <charconv>

#include "text/jinja/access.h"
#include "text/jinja/number_format.h"
#include "text/jinja/operators.h"
#include "text/jinja/repr.h"

namespace flashmoe::jinja {
namespace {

class BraceFormatter {
 public:
  BraceFormatter(Budget& budget, const Text& format, const Args& args)
      : budget_(budget), out_(budget), format_(format.bytes), markup_(format.markup), args_(args) {}

  Result<Value> Run() {
    while (pos_ < format_.size()) {
      const size_t brace = std::min(format_.find_first_of("{}", pos_), format_.size());
      FM_RETURN_IF_ERROR(out_.Append(format_.substr(pos_, brace - pos_)));
      pos_ = brace;
      if (pos_ == format_.size()) break;
      if (pos_ + 1 < format_.size() && format_[pos_ + 1] == format_[pos_]) {
        FM_RETURN_IF_ERROR(out_.Append(format_[pos_], 1));
        pos_ += 2;
      } else if (format_[pos_] == '}') {
        return InvalidInput("single '}' encountered in format string");
      } else {
        FM_RETURN_IF_ERROR(Field());
      }
    }
    return std::move(out_).Finish(markup_);
  }

 private:
  // The replacement field's text up to its closing brace, nested ones included.
  Result<std::string_view> FieldText() {
    const size_t begin = ++pos_;
    for (int open = 1; pos_ < format_.size(); ++pos_) {
      if (format_[pos_] == '{') ++open;
      if (format_[pos_] == '}' && --open == 0) return format_.substr(begin, pos_++ - begin);
    }
    return InvalidInput("expected '}' before end of string");
  }

  Status Field() {
    FM_ASSIGN_OR_RETURN(const std::string_view field, FieldText());
    const size_t name_end = std::min(field.find_first_of("!:"), field.size());
    FM_ASSIGN_OR_RETURN(Value value, Lookup(field.substr(0, name_end)));
    std::string_view rest = field.substr(name_end);
    if (rest.starts_with('!')) {
      if (rest.size() < 2 || (rest.size() > 2 && rest[2] != ':')) {
        return InvalidInput("expected a conversion after '!' in a format string");
      }
      FM_ASSIGN_OR_RETURN(value, Converted(value, rest[1]));
      rest = rest.substr(2);
    }
    if (rest.starts_with(':')) rest = rest.substr(1);
    std::string nested;
    if (rest.find('{') != std::string_view::npos) {
      FM_ASSIGN_OR_RETURN(nested, Nested(rest));
      rest = nested;
    }
    FM_ASSIGN_OR_RETURN(const FormatSpec spec, ParseFormatSpec(rest));
    if (!markup_) return AppendFormatted(out_, value, spec);
    TextBuilder body(budget_);
    FM_RETURN_IF_ERROR(AppendFormatted(body, value, spec));
    const bool safe = value.IsText() && value.text()->markup;
    FM_ASSIGN_OR_RETURN(TextPtr text, std::move(body).FinishPtr(safe));
    FM_ASSIGN_OR_RETURN(text, EscapeHtml(budget_, text));
    return out_.Append(text->bytes);
  }

  // A specification with fields of its own: "{:>{width}}".
  Result<std::string> Nested(std::string_view spec) {
    std::string resolved;
    while (!spec.empty()) {
      const size_t open = std::min(spec.find('{'), spec.size());
      resolved += spec.substr(0, open);
      if (open == spec.size()) break;
      const size_t close = spec.find('}', open);
      if (close == std::string_view::npos) return InvalidInput("unmatched '{' in a format");
      FM_ASSIGN_OR_RETURN(const Value value, Lookup(spec.substr(open + 1, close - open - 1)));
      FM_ASSIGN_OR_RETURN(const TextPtr text, ToText(budget_, value));
      if (text->bytes.size() > 1000) return InvalidInput("a format specification is too long");
      resolved += text->bytes;
      spec = spec.substr(close + 1);
    }
    return resolved;
  }

  Result<Value> Converted(const Value& value, char conversion) {
    if (conversion != 's' && conversion != 'r' && conversion != 'a') {
      return InvalidInput("unknown conversion specifier in a format string");
    }
    TextBuilder out(budget_);
    FM_RETURN_IF_ERROR(conversion == 's' ? AppendStr(out, value) : AppendRepr(out, value));
    return std::move(out).Finish();
  }

  Result<Value> Lookup(std::string_view field) {
    const size_t end = std::min(field.find_first_of(".["), field.size());
    FM_ASSIGN_OR_RETURN(Value value, First(field.substr(0, end)));
    field = field.substr(end);
    while (!field.empty()) {
      const bool attribute = field[0] == '.';
      const size_t close =
          attribute ? std::min(field.find_first_of(".[", 1), field.size()) : field.find(']');
      if (close == std::string_view::npos || close == 1) {
        return InvalidInput("empty or unclosed attribute in format string");
      }
      const std::string_view key = field.substr(1, close - 1);
      FM_ASSIGN_OR_RETURN(value,
                          attribute ? GetAttribute(budget_, value, key) : GetPathItem(value, key));
      field = field.substr(attribute ? close : close + 1);
    }
    return value;
  }

  Result<Value> GetPathItem(const Value& value, std::string_view key) {
    int64_t index = 0;
    const auto parsed = std::from_chars(key.data(), key.data() + key.size(), index);
    if (parsed.ec == std::errc() && parsed.ptr == key.data() + key.size()) {
      return GetItem(budget_, value, Value::Int(index));
    }
    FM_ASSIGN_OR_RETURN(const Value text, MakeText(budget_, key));
    return GetItem(budget_, value, text);
  }

  // The argument that a field begins with: the next one, a numbered or a named one.
  Result<Value> First(std::string_view name) {
    size_t index = next_;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), index);
    const bool numbered = parsed.ec == std::errc() && parsed.ptr == name.data() + name.size();
    if (name.empty() || numbered) {
      if (name.empty() ? numbered_ : next_ > 0) {
        return InvalidInput("cannot mix numbered and automatic fields in a format string");
      }
      if (name.empty()) {
        ++next_;
      } else {
        numbered_ = true;
      }
      if (index < args_.positional.size()) return args_.positional[index];
      return InvalidInput(fmt::format("replacement index {} out of range", index));
    }
    for (const auto& [key, value] : args_.named) {
      if (key == name) return value;
    }
    return InvalidInput(fmt::format("the format's argument '{}' is missing", name.substr(0, 100)));
  }

  Budget& budget_;
  TextBuilder out_;
  std::string_view format_;
  bool markup_;
  const Args& args_;
  size_t pos_ = 0;
  size_t next_ = 0;
  bool numbered_ = false;
};

}  // namespace

Result<Value> BraceFormat(Budget& budget, const Text& format, const Args& args) {
  return BraceFormatter(budget, format, args).Run();
}

}  // namespace flashmoe::jinja
