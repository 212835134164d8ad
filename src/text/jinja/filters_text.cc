// Filters that yield text, and those that pass a value on.
#include <fmt/format.h>

#include "text/jinja/access.h"
#include "text/jinja/builtins.h"
#include "text/jinja/characters.h"
#include "text/jinja/iterate.h"
#include "text/jinja/operators.h"
#include "text/jinja/repr.h"
#include "text/jinja/text_methods.h"
#include "text/utf8.h"

namespace flashmoe::jinja {
namespace {

template <std::string (*kConvert)(std::string_view)>
Result<Value> Convert(Budget& budget, const Value& value, const Args& args) {
  FM_RETURN_IF_ERROR(Bound::Bind("a filter", args, {}));
  FM_ASSIGN_OR_RETURN(const TextPtr text, ToText(budget, value));
  FM_RETURN_IF_ERROR(budget.Work(1 + text->bytes.size() / 16));
  return MakeText(budget, kConvert(text->bytes), text->markup);
}

// Words begin after white space, hyphens and opening brackets, which is not str.title()'s rule.
std::string TitleWords(std::string_view text) {
  static constexpr std::string_view kBreaks = "-({[<";
  std::string out;
  bool inside = false;
  for (size_t pos = 0; pos < text.size();) {
    const char32_t point = NextPoint(text, pos);
    const bool is_break =
        IsSpace(point) ||
        (point < 0x80 && kBreaks.find(static_cast<char>(point)) != std::string_view::npos);
    if (is_break) {
      AppendUtf8(point, out);
    } else if (inside) {
      AppendLower(out, point);
    } else {
      AppendUpper(out, point);
    }
    inside = !is_break;
  }
  return out;
}

Result<Value> String(Budget& budget, const Value& value, const Args&) {
  FM_ASSIGN_OR_RETURN(TextPtr text, ToText(budget, value));
  return Value(std::move(text));
}

Result<Value> Safe(Budget& budget, const Value& value, const Args&) {
  FM_ASSIGN_OR_RETURN(const TextPtr text, ToText(budget, value));
  return MakeText(budget, text->bytes, true);
}

Result<Value> Escape(Budget& budget, const Value& value, const Args&) {
  FM_ASSIGN_OR_RETURN(TextPtr text, ToText(budget, value));
  FM_ASSIGN_OR_RETURN(text, EscapeHtml(budget, text));
  return Value(std::move(text));
}

Result<Value> Trim(Budget& budget, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("trim", args, {"chars"}));
  FM_ASSIGN_OR_RETURN(const TextPtr text, ToText(budget, value));
  FM_RETURN_IF_ERROR(budget.Work(1 + text->bytes.size() / 64));
  std::optional<std::string_view> chars;
  if (bound.HasSome(0)) {
    FM_ASSIGN_OR_RETURN(chars, bound.Str(0, ""));
    FM_RETURN_IF_ERROR(budget.Work(text->bytes.size() * chars->size() / 512));
  }
  const std::string_view trimmed = Strip(text->bytes, chars, Side::kBoth);
  if (trimmed.size() == text->bytes.size()) return Value(text);
  return MakeText(budget, trimmed, text->markup);
}

Result<Value> ReplaceText(Budget& budget, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("replace", args, {"old", "new", "count"}, 2));
  FM_ASSIGN_OR_RETURN(const TextPtr text, ToText(budget, value));
  FM_ASSIGN_OR_RETURN(const TextPtr old_text, ToText(budget, bound[0]));
  FM_ASSIGN_OR_RETURN(const TextPtr new_text, ToText(budget, bound[1]));
  FM_ASSIGN_OR_RETURN(const int64_t count, bound.HasSome(2) ? bound.Int(2, -1) : -1);
  return Replace(budget, text->bytes, old_text->bytes, new_text->bytes, count, false);
}

Result<Value> CenterText(Budget& budget, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("center", args, {"width"}));
  FM_ASSIGN_OR_RETURN(const int64_t width, bound.Int(0, 80));
  FM_ASSIGN_OR_RETURN(const TextPtr text, ToText(budget, value));
  return Center(budget, *text, width, ' ');
}

Result<Value> Indent(Budget& budget, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("indent", args, {"width", "first", "blank"}));
  if (value.IsUndefined()) return UndefinedError(value);
  if (!value.IsText()) {
    return InvalidInput(fmt::format("indent needs a string, not '{}'", value.TypeName()));
  }
  TextBuilder prefix(budget);
  if (bound.Has(0) && bound[0].IsText()) {
    FM_RETURN_IF_ERROR(prefix.Append(bound[0].str()));
  } else {
    FM_ASSIGN_OR_RETURN(const int64_t width, bound.Int(0, 4));
    FM_RETURN_IF_ERROR(prefix.Append(' ', static_cast<uint64_t>(std::max<int64_t>(width, 0))));
  }
  FM_ASSIGN_OR_RETURN(const Pieces lines, SplitLines(budget, value.str(), false));
  const std::string_view text = value.str();
  const bool open_end = !text.empty() && (text.back() == '\n' || text.back() == '\r');
  const size_t count = lines.items.size() + (open_end || text.empty() ? 1 : 0);
  TextBuilder out(budget);
  for (size_t i = 0; i < count; ++i) {
    const std::string_view line = i < lines.items.size() ? lines.items[i] : std::string_view();
    if (i > 0) FM_RETURN_IF_ERROR(out.Append("\n"));
    const bool indent = i == 0 ? bound.Truthy(1, false) : bound.Truthy(2, false) || !line.empty();
    if (indent) FM_RETURN_IF_ERROR(out.Append(prefix.bytes()));
    FM_RETURN_IF_ERROR(out.Append(line));
  }
  return std::move(out).Finish(value.text()->markup);
}

Result<Value> Truncate(Budget& budget, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound,
                      Bound::Bind("truncate", args, {"length", "killwords", "end", "leeway"}));
  FM_ASSIGN_OR_RETURN(const int64_t length, bound.Int(0, 255));
  FM_ASSIGN_OR_RETURN(const std::string_view end, bound.Str(2, "..."));
  FM_ASSIGN_OR_RETURN(const int64_t leeway, bound.HasSome(3) ? bound.Int(3, 5) : 5);
  if (leeway < 0 || length < CountPoints(end)) {
    return InvalidInput("truncate: the length is shorter than the end, or the leeway negative");
  }
  const auto points = Length(value);
  if (!points) {
    return InvalidInput(fmt::format("object of type '{}' has no len()", value.TypeName()));
  }
  // Written so that no sum can overflow.
  if (*points <= leeway || *points - leeway <= length) return value;
  if (!value.IsText()) return InvalidInput("truncate needs a string");
  FM_RETURN_IF_ERROR(budget.Work(1 + value.str().size() / 64));
  std::string_view cut = value.str();
  cut = cut.substr(0, ByteOffset(cut, length - CountPoints(end)));
  if (!bound.Truthy(1, false)) cut = cut.substr(0, cut.rfind(' '));
  TextBuilder out(budget);
  FM_RETURN_IF_ERROR(out.Append(cut));
  FM_RETURN_IF_ERROR(out.Append(end));
  return std::move(out).Finish(value.text()->markup);
}

Result<Value> FormatPercent(Budget& budget, const Value& value, const Args& args) {
  if (!args.positional.empty() && !args.named.empty()) {
    return InvalidInput("can't handle positional and keyword arguments at the same time");
  }
  FM_ASSIGN_OR_RETURN(const TextPtr text, ToText(budget, value));
  if (args.named.empty()) {
    FM_ASSIGN_OR_RETURN(const Value values, MakeList(budget, ListKind::kTuple, args.positional));
    return PercentFormat(budget, *text, values);
  }
  DictBuilder named(budget);
  for (const auto& [name, argument] : args.named) {
    FM_RETURN_IF_ERROR(named.Put(name, argument));
  }
  FM_ASSIGN_OR_RETURN(const Value values, std::move(named).Finish());
  return PercentFormat(budget, *text, values);
}

Status AppendQuoted(TextBuilder& out, std::string_view text, bool query) {
  static constexpr std::string_view kPlain = "_.-~";
  for (const char c : text) {
    const bool letter = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (letter || kPlain.find(c) != std::string_view::npos || (c == '/' && !query)) {
      FM_RETURN_IF_ERROR(out.Append(c, 1));
    } else if (c == ' ' && query) {
      FM_RETURN_IF_ERROR(out.Append("+"));
    } else {
      FM_RETURN_IF_ERROR(out.Append(fmt::format("%{:02X}", static_cast<unsigned char>(c))));
    }
  }
  return {};
}

Result<Value> UrlEncode(Budget& budget, const Value& value, const Args& args) {
  FM_RETURN_IF_ERROR(Bound::Bind("urlencode", args, {}));
  TextBuilder out(budget);
  if (value.IsText() || !IsIterable(value)) {
    FM_ASSIGN_OR_RETURN(const TextPtr text, ToText(budget, value));
    FM_RETURN_IF_ERROR(AppendQuoted(out, text->bytes, false));
    return std::move(out).Finish();
  }
  Value pairs = value;
  if (value.IsDict()) {
    FM_ASSIGN_OR_RETURN(pairs, FindDictMethod("items")(budget, value, {}));
  }
  FM_ASSIGN_OR_RETURN(Iterator items, Iterator::Over(budget, pairs));
  for (bool first = true;; first = false) {
    FM_ASSIGN_OR_RETURN(const std::optional<Value> item, items.Next());
    if (!item) return std::move(out).Finish();
    FM_ASSIGN_OR_RETURN(const std::vector<Value> pair, Collect(budget, *item));
    if (pair.size() != 2) return InvalidInput("urlencode needs pairs");
    if (!first) FM_RETURN_IF_ERROR(out.Append("&"));
    for (size_t i = 0; i < 2; ++i) {
      FM_ASSIGN_OR_RETURN(const TextPtr text, ToText(budget, pair[i]));
      FM_RETURN_IF_ERROR(AppendQuoted(out, text->bytes, true));
      if (i == 0) FM_RETURN_IF_ERROR(out.Append("="));
    }
  }
}

// The reference library's own: json.dumps without escaping for HTML.
Result<Value> ToJson(Budget& budget, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(
      const Bound bound,
      Bound::Bind("tojson", args, {"ensure_ascii", "indent", "separators", "sort_keys"}));
  JsonStyle style;
  style.ensure_ascii = bound.Truthy(0, false);
  style.sort_keys = bound.Truthy(3, false);
  if (bound.HasSome(1)) {
    style.item_separator = ",";
    if (bound[1].IsText()) {
      style.indent = bound[1].str();
    } else {
      FM_ASSIGN_OR_RETURN(const int64_t width, bound.Int(1, 0));
      if (width > 1000) return InvalidInput("tojson: the indent is too large");
      style.indent = std::string(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
    }
  }
  if (bound.HasSome(2)) {
    FM_ASSIGN_OR_RETURN(const std::vector<Value> separators, Collect(budget, bound[2]));
    if (separators.size() != 2 || !separators[0].IsText() || !separators[1].IsText()) {
      return InvalidInput("tojson: separators must be two strings");
    }
    style.item_separator = separators[0].str();
    style.key_separator = separators[1].str();
  }
  TextBuilder out(budget);
  FM_RETURN_IF_ERROR(AppendJson(out, value, style));
  return std::move(out).Finish();
}

Result<Value> Default(Budget& budget, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound,
                      Bound::Bind("default", args, {"default_value", "boolean"}));
  const bool replace = value.IsUndefined() || (bound.Truthy(1, false) && !value.Truthy());
  if (!replace) return value;
  if (bound.Has(0)) return bound[0];
  return MakeText(budget, "");
}

Result<Value> Attr(Budget& budget, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("attr", args, {"name"}, 1));
  FM_ASSIGN_OR_RETURN(const std::string_view name, bound.Str(0, ""));
  FM_ASSIGN_OR_RETURN(std::optional<Value> member, GetMember(budget, value, name));
  if (member) return *member;
  return MakeUndefined(budget, fmt::format("'{} object' has no such attribute", value.TypeName()));
}

struct Entry {
  std::string_view name;
  Filter filter;
};

constexpr Entry kFilters[] = {
    {"attr", Attr},           {"capitalize", Convert<Capitalize>},
    {"center", CenterText},   {"d", Default},
    {"default", Default},     {"e", Escape},
    {"escape", Escape},       {"format", FormatPercent},
    {"indent", Indent},       {"lower", Convert<ToLower>},
    {"replace", ReplaceText}, {"safe", Safe},
    {"string", String},       {"title", Convert<TitleWords>},
    {"tojson", ToJson},       {"trim", Trim},
    {"truncate", Truncate},   {"upper", Convert<ToUpper>},
    {"urlencode", UrlEncode},
};

}  // namespace

Filter FindTextFilter(std::string_view name) {
  for (const Entry& entry : kFilters) {
    if (entry.name == name) return entry.filter;
  }
  return nullptr;
}

}  // namespace flashmoe::jinja
