// Python's json.dumps over values.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "text/jinja/characters.h"
#include "text/jinja/compare.h"
#include "text/jinja/repr.h"
#include "text/jinja/sort.h"
#include "text/utf8.h"

namespace flashmoe::jinja {
namespace {

class JsonWriter {
 public:
  JsonWriter(TextBuilder& out, const JsonStyle& style) : out_(out), style_(style) {}

  Status Write(const Value& value) {
    if (value.IsText()) return WriteText(value.str());
    if (value.IsDict()) return WriteDict(*value.dict());
    if (value.IsList() && (value.list()->kind == ListKind::kList || value.list()->is_tuple())) {
      return WriteList(*value.list());
    }
    FM_ASSIGN_OR_RETURN(const std::string scalar, Scalar(value));
    return out_.Append(scalar);
  }

 private:
  static Result<std::string> Scalar(const Value& value) {
    if (value.IsNone()) return "null";
    if (value.IsBool()) return value.bool_value() ? "true" : "false";
    if (value.IsInt()) return fmt::format("{}", *value.AsInt());
    if (value.IsFloat()) {
      const double d = value.float_value();
      if (std::isnan(d)) return "NaN";
      if (std::isinf(d)) return d < 0 ? "-Infinity" : "Infinity";
      return FloatRepr(d);
    }
    return InvalidInput(
        fmt::format("Object of type {} is not JSON serializable", value.TypeName()));
  }

  void EscapePoint(std::string& escaped, char32_t point) const {
    static constexpr std::string_view kNamed = "\"\\\n\r\t\b\f";
    static constexpr std::string_view kLetters = "\"\\nrtbf";
    const size_t named =
        point < 0x80 ? kNamed.find(static_cast<char>(point)) : std::string_view::npos;
    if (named != std::string_view::npos) {
      escaped.push_back('\\');
      escaped.push_back(kLetters[named]);
    } else if (point >= 0x20 && (point < 0x7F || !style_.ensure_ascii)) {
      AppendUtf8(point, escaped);
    } else if (point == 0x7F) {
      escaped.push_back(0x7F);
    } else if (point < 0x10000) {
      escaped += fmt::format("\\u{:04x}", static_cast<uint32_t>(point));
    } else {
      const auto offset = static_cast<uint32_t>(point - 0x10000);
      escaped +=
          fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (offset >> 10), 0xDC00 + (offset & 0x3FF));
    }
  }

  Status WriteText(std::string_view text) {
    FM_RETURN_IF_ERROR(out_.Append("\""));
    std::string escaped;
    for (size_t pos = 0; pos < text.size();) {
      escaped.clear();
      while (pos < text.size() && escaped.size() < 4096) EscapePoint(escaped, NextPoint(text, pos));
      FM_RETURN_IF_ERROR(out_.Append(escaped));
    }
    return out_.Append("\"");
  }

  Status NewLine() {
    if (!style_.indent) return {};
    FM_RETURN_IF_ERROR(out_.Append("\n"));
    for (int i = 0; i < level_; ++i) FM_RETURN_IF_ERROR(out_.Append(*style_.indent));
    return {};
  }

  Status WriteList(const List& list) {
    if (list.items.empty()) return out_.Append("[]");
    FM_RETURN_IF_ERROR(out_.Append("["));
    ++level_;
    for (size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) FM_RETURN_IF_ERROR(out_.Append(style_.item_separator));
      FM_RETURN_IF_ERROR(NewLine());
      FM_RETURN_IF_ERROR(Write(list.items[i]));
    }
    --level_;
    FM_RETURN_IF_ERROR(NewLine());
    return out_.Append("]");
  }

  Status WriteKey(const Value& key) {
    if (key.IsText()) return WriteText(key.str());
    if (!key.IsNone() && !key.IsNumber()) {
      return InvalidInput(
          fmt::format("keys must be str, int, float, bool or None, not {}", key.TypeName()));
    }
    FM_ASSIGN_OR_RETURN(const std::string text, Scalar(key));
    return WriteText(text);
  }

  Status WriteDict(const Dict& dict) {
    if (dict.entries.empty()) return out_.Append("{}");
    std::vector<size_t> order(dict.entries.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    if (style_.sort_keys) {
      FM_RETURN_IF_ERROR(StableSort(order, [&](size_t a, size_t b) {
        return Less(out_.budget(), dict.entries[a].first, dict.entries[b].first);
      }));
    }
    FM_RETURN_IF_ERROR(out_.Append("{"));
    ++level_;
    for (size_t i = 0; i < order.size(); ++i) {
      const auto& [key, value] = dict.entries[order[i]];
      if (i > 0) FM_RETURN_IF_ERROR(out_.Append(style_.item_separator));
      FM_RETURN_IF_ERROR(NewLine());
      FM_RETURN_IF_ERROR(WriteKey(key));
      FM_RETURN_IF_ERROR(out_.Append(style_.key_separator));
      FM_RETURN_IF_ERROR(Write(value));
    }
    --level_;
    FM_RETURN_IF_ERROR(NewLine());
    return out_.Append("}");
  }

  TextBuilder& out_;
  const JsonStyle& style_;
  int level_ = 0;
};

}  // namespace

Status AppendJson(TextBuilder& out, const Value& value, const JsonStyle& style) {
  return JsonWriter(out, style).Write(value);
}

}  // namespace flashmoe::jinja
