// The methods of strings.
#include "text/jinja/text_methods.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/jinja/access.h"
#include "text/jinja/characters.h"
#include "text/jinja/iterate.h"
#include "text/jinja/operators.h"

namespace flashmoe::jinja {

std::string_view Strip(std::string_view text, std::optional<std::string_view> chars, Side side) {
  if (!chars) {
    if (side != Side::kRight) text = StripLeft(text);
    return side == Side::kLeft ? text : StripRight(text);
  }
  // Characters are compared whole: a lead byte shared by two of them is no match.
  const auto is_listed = [&](std::string_view character) {
    return FindBytes(*chars, character) != std::string_view::npos;
  };
  while (side != Side::kRight && !text.empty()) {
    size_t next = 0;
    NextPoint(text, next);
    if (!is_listed(text.substr(0, next))) break;
    text.remove_prefix(next);
  }
  while (side != Side::kLeft && !text.empty()) {
    size_t begin = text.size() - 1;
    while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
    if (!is_listed(text.substr(begin))) break;
    text = text.substr(0, begin);
  }
  return text;
}

Result<Value> Replace(Budget& budget, std::string_view text, std::string_view old_text,
                      std::string_view new_text, int64_t count, bool markup) {
  TextBuilder out(budget);
  size_t pos = 0;
  for (int64_t done = 0; count < 0 || done < count; ++done) {
    const size_t hit = FindBytes(text, old_text, pos);
    if (hit == std::string_view::npos) break;
    FM_RETURN_IF_ERROR(out.Append(text.substr(pos, hit - pos)));
    FM_RETURN_IF_ERROR(out.Append(new_text));
    pos = hit + old_text.size();
    if (!old_text.empty()) continue;
    if (pos == text.size()) return std::move(out).Finish(markup);
    NextPoint(text, pos);  // an empty pattern fits between all characters
    FM_RETURN_IF_ERROR(out.Append(text.substr(hit, pos - hit)));
  }
  FM_RETURN_IF_ERROR(out.Append(text.substr(pos)));
  return std::move(out).Finish(markup);
}

Status Pieces::Add(std::string_view piece) {
  FM_RETURN_IF_ERROR(charge.Grow(sizeof(piece)));
  items.push_back(piece);
  return {};
}

Result<Pieces> SplitLines(Budget& budget, std::string_view text, bool keep_ends) {
  FM_RETURN_IF_ERROR(budget.Work(1 + text.size() / 16));
  Pieces lines(budget);
  size_t begin = 0;
  for (size_t pos = 0; pos < text.size();) {
    const size_t end = pos;
    const char32_t point = NextPoint(text, pos);
    if (!IsLineBreak(point)) continue;
    if (point == '\r' && pos < text.size() && text[pos] == '\n') ++pos;
    FM_RETURN_IF_ERROR(lines.Add(text.substr(begin, (keep_ends ? pos : end) - begin)));
    begin = pos;
  }
  if (begin < text.size()) FM_RETURN_IF_ERROR(lines.Add(text.substr(begin)));
  return lines;
}

Result<Value> Center(Budget& budget, const Text& text, int64_t width, char32_t fill) {
  const int64_t missing = width > text.points ? width - text.points : 0;
  // Python puts the odd blank to the left only if the width is odd too.
  const int64_t left = missing / 2 + (missing & width & 1);
  TextBuilder out(budget);
  for (int64_t i = 0; i < left; ++i) FM_RETURN_IF_ERROR(out.AppendPoint(fill));
  FM_RETURN_IF_ERROR(out.Append(text.bytes));
  for (int64_t i = left; i < missing; ++i) FM_RETURN_IF_ERROR(out.AppendPoint(fill));
  return std::move(out).Finish(text.markup);
}

namespace {

template <bool (*kPredicate)(char32_t), bool (*kOpposite)(char32_t)>
bool IsCased(std::string_view text) {
  bool any = false;
  for (size_t pos = 0; pos < text.size();) {
    const char32_t point = NextPoint(text, pos);
    if (kOpposite(point)) return false;
    any = any || kPredicate(point);
  }
  return any;
}

}  // namespace

bool IsUpperText(std::string_view text) { return IsCased<IsUpper, IsLower>(text); }
bool IsLowerText(std::string_view text) { return IsCased<IsLower, IsUpper>(text); }

namespace {

Result<Value> Same(Budget& budget, const Value& self, std::string_view text) {
  return MakeText(budget, text, self.text()->markup);
}

Status NoArguments(std::string_view name, const Args& args) {
  FM_RETURN_IF_ERROR(Bound::Bind(name, args, {}));
  return {};
}

template <std::string (*kConvert)(std::string_view)>
Result<Value> Convert(Budget& budget, const Value& self, const Args& args) {
  FM_RETURN_IF_ERROR(NoArguments("a string method", args));
  FM_RETURN_IF_ERROR(budget.Work(1 + self.str().size() / 16));
  return Same(budget, self, kConvert(self.str()));
}

std::string SwapCase(std::string_view text) {
  std::string out;
  for (size_t pos = 0; pos < text.size();) {
    const char32_t point = NextPoint(text, pos);
    if (IsUpper(point)) {
      AppendLower(out, point);
    } else {
      AppendUpper(out, point);
    }
  }
  return out;
}

std::string TitleCase(std::string_view text) {
  std::string out;
  bool inside = false;
  for (size_t pos = 0; pos < text.size();) {
    const char32_t point = NextPoint(text, pos);
    if (inside) {
      AppendLower(out, point);
    } else {
      AppendTitle(out, point);
    }
    inside = IsUpper(point) || IsLower(point);
  }
  return out;
}

template <Side kSide>
Result<Value> StripMethod(Budget& budget, const Value& self, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("strip", args, {"chars"}));
  std::optional<std::string_view> chars;
  FM_RETURN_IF_ERROR(budget.Work(1 + self.str().size() / 64));
  if (bound.HasSome(0)) {
    FM_ASSIGN_OR_RETURN(chars, bound.Str(0, ""));
    FM_RETURN_IF_ERROR(budget.Work(self.str().size() * chars->size() / 512));
  }
  return Same(budget, self, Strip(self.str(), chars, kSide));
}

// [start, end) of a string in bytes, given code point bounds as slices take them.
struct Window {
  std::string_view text;
  int64_t offset = 0;  // of the window's first code point
  bool valid = true;   // the window does not begin behind the end
};

Result<Window> WindowOf(Budget& budget, const Text& text, const Bound& bound, size_t start_at) {
  FM_RETURN_IF_ERROR(budget.Work(1 + text.bytes.size() / 64));
  FM_ASSIGN_OR_RETURN(int64_t start, bound.HasSome(start_at) ? bound.Int(start_at, 0) : 0);
  FM_ASSIGN_OR_RETURN(int64_t end,
                      bound.HasSome(start_at + 1) ? bound.Int(start_at + 1, 0) : text.points);
  if (start < 0) start = std::max<int64_t>(start + text.points, 0);
  if (end < 0) end = std::max<int64_t>(end + text.points, 0);
  end = std::min(end, text.points);
  Window window;
  window.valid = start <= end;
  window.offset = std::min(start, text.points);
  if (!window.valid) return window;
  const size_t begin = ByteOffset(text.bytes, start);
  window.text = std::string_view(text.bytes).substr(begin, ByteOffset(text.bytes, end) - begin);
  return window;
}

// A search from the right may look at every byte of the needle in every place.
Status ChargeReverse(Budget& budget, std::string_view text, std::string_view needle) {
  return budget.Work(1 + text.size() * std::min<size_t>(needle.size(), 1 << 20) / 512);
}

template <bool kReverse>
Result<std::optional<int64_t>> Search(Budget& budget, const Value& self, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("find", args, {"sub", "start", "end"}, 1));
  FM_ASSIGN_OR_RETURN(const std::string_view needle, bound.Str(0, ""));
  FM_ASSIGN_OR_RETURN(const Window window, WindowOf(budget, *self.text(), bound, 1));
  if (!window.valid) return std::nullopt;
  FM_RETURN_IF_ERROR(budget.Work(1 + window.text.size() / 64));
  if (kReverse) FM_RETURN_IF_ERROR(ChargeReverse(budget, window.text, needle));
  const size_t hit = kReverse ? window.text.rfind(needle) : FindBytes(window.text, needle);
  if (hit == std::string_view::npos) return std::nullopt;
  return window.offset + CountPoints(window.text.substr(0, hit));
}

template <bool kReverse>
Result<Value> Find(Budget& budget, const Value& self, const Args& args) {
  FM_ASSIGN_OR_RETURN(const auto found, Search<kReverse>(budget, self, args));
  return Value::Int(found.value_or(-1));
}

template <bool kReverse>
Result<Value> Index(Budget& budget, const Value& self, const Args& args) {
  FM_ASSIGN_OR_RETURN(const auto found, Search<kReverse>(budget, self, args));
  if (!found) return InvalidInput("substring not found");
  return Value::Int(*found);
}

Result<Value> Count(Budget& budget, const Value& self, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("count", args, {"sub", "start", "end"}, 1));
  FM_ASSIGN_OR_RETURN(const std::string_view needle, bound.Str(0, ""));
  FM_ASSIGN_OR_RETURN(const Window window, WindowOf(budget, *self.text(), bound, 1));
  if (!window.valid) return Value::Int(0);
  FM_RETURN_IF_ERROR(budget.Work(1 + window.text.size() / 16));
  if (needle.empty()) return Value::Int(CountPoints(window.text) + 1);
  int64_t count = 0;
  for (size_t at = FindBytes(window.text, needle); at != std::string_view::npos;
       at = FindBytes(window.text, needle, at + needle.size())) {
    ++count;
  }
  return Value::Int(count);
}

template <bool kEnd>
Result<Value> Affix(Budget& budget, const Value& self, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind(kEnd ? "endswith" : "startswith", args,
                                                     {"prefix", "start", "end"}, 1));
  FM_ASSIGN_OR_RETURN(const Window window, WindowOf(budget, *self.text(), bound, 1));
  std::vector<Value> affixes{bound[0]};
  if (bound[0].IsList() && bound[0].list()->is_tuple()) affixes = bound[0].list()->items;
  for (const Value& affix : affixes) {
    FM_RETURN_IF_ERROR(budget.Work(1));
    if (!affix.IsText()) {
      return InvalidInput(fmt::format("{} first arg must be str or a tuple of str, not {}",
                                      kEnd ? "endswith" : "startswith", affix.TypeName()));
    }
    const bool fits =
        kEnd ? window.text.ends_with(affix.str()) : window.text.starts_with(affix.str());
    if (window.valid && fits) return Value::Bool(true);
  }
  return Value::Bool(false);
}

template <bool kEnd>
Result<Value> RemoveAffix(Budget& budget, const Value& self, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("removeprefix", args, {"affix"}, 1));
  FM_ASSIGN_OR_RETURN(const std::string_view affix, bound.Str(0, ""));
  std::string_view text = self.str();
  if (kEnd && text.ends_with(affix)) text = text.substr(0, text.size() - affix.size());
  if (!kEnd && text.starts_with(affix)) text = text.substr(affix.size());
  return Same(budget, self, text);
}

Result<Value> ReplaceMethod(Budget& budget, const Value& self, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("replace", args, {"old", "new", "count"}, 2));
  FM_ASSIGN_OR_RETURN(const std::string_view old_text, bound.Str(0, ""));
  FM_ASSIGN_OR_RETURN(const std::string_view new_text, bound.Str(1, ""));
  FM_ASSIGN_OR_RETURN(const int64_t count, bound.Int(2, -1));
  return Replace(budget, self.str(), old_text, new_text, count, self.text()->markup);
}

Result<Value> SplitOnSpace(Budget& budget, const Value& self, int64_t limit) {
  FM_RETURN_IF_ERROR(budget.Work(1 + self.str().size() / 64));
  ListBuilder out(budget);
  const bool markup = self.text()->markup;
  std::string_view rest = StripLeft(self.str());
  while (!rest.empty()) {
    size_t end = 0;
    for (size_t next = 0; end < rest.size(); end = next) {
      if (IsSpace(NextPoint(rest, next))) break;
    }
    if (limit >= 0 && static_cast<int64_t>(out.size()) >= limit) {
      FM_RETURN_IF_ERROR(out.PushText(rest, markup));
      break;
    }
    FM_RETURN_IF_ERROR(out.PushText(rest.substr(0, end), markup));
    rest = StripLeft(rest.substr(end));
  }
  return std::move(out).Finish();
}

Result<Value> Split(Budget& budget, const Value& self, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("split", args, {"sep", "maxsplit"}));
  FM_ASSIGN_OR_RETURN(const int64_t limit, bound.Int(1, -1));
  if (!bound.HasSome(0)) return SplitOnSpace(budget, self, limit);
  FM_ASSIGN_OR_RETURN(const std::string_view separator, bound.Str(0, ""));
  if (separator.empty()) return InvalidInput("empty separator");
  ListBuilder out(budget);
  std::string_view rest = self.str();
  while (limit < 0 || static_cast<int64_t>(out.size()) < limit) {
    const size_t hit = FindBytes(rest, separator);
    if (hit == std::string_view::npos) break;
    FM_RETURN_IF_ERROR(out.PushText(rest.substr(0, hit), self.text()->markup));
    rest = rest.substr(hit + separator.size());
  }
  FM_RETURN_IF_ERROR(out.PushText(rest, self.text()->markup));
  return std::move(out).Finish();
}

// Pieces found from the right, last first.
Result<Pieces> PiecesFromRight(Budget& budget, std::string_view text,
                               std::optional<std::string_view> separator, int64_t limit) {
  Pieces pieces(budget);
  const auto full = [&] { return static_cast<int64_t>(pieces.items.size()) >= limit; };
  if (separator) {
    FM_RETURN_IF_ERROR(ChargeReverse(budget, text, *separator));
    while (!full()) {
      const size_t hit = text.rfind(*separator);
      if (hit == std::string_view::npos) break;
      FM_RETURN_IF_ERROR(pieces.Add(text.substr(hit + separator->size())));
      text = text.substr(0, hit);
    }
    FM_RETURN_IF_ERROR(pieces.Add(text));
    return pieces;
  }
  for (text = StripRight(text); !text.empty(); text = StripRight(text)) {
    if (full()) {
      FM_RETURN_IF_ERROR(pieces.Add(text));
      break;
    }
    size_t begin = text.size();
    while (begin > 0) {
      size_t previous = begin - 1;
      while (previous > 0 && (static_cast<unsigned char>(text[previous]) & 0xC0) == 0x80) {
        --previous;
      }
      size_t pos = previous;
      if (IsSpace(NextPoint(text, pos))) break;
      begin = previous;
    }
    FM_RETURN_IF_ERROR(pieces.Add(text.substr(begin)));
    text = text.substr(0, begin);
  }
  return pieces;
}

Result<Value> SplitRight(Budget& budget, const Value& self, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("rsplit", args, {"sep", "maxsplit"}));
  FM_ASSIGN_OR_RETURN(const int64_t limit, bound.Int(1, -1));
  if (limit < 0) return Split(budget, self, args);
  std::optional<std::string_view> separator;
  if (bound.HasSome(0)) {
    FM_ASSIGN_OR_RETURN(separator, bound.Str(0, ""));
    if (separator->empty()) return InvalidInput("empty separator");
  }
  FM_RETURN_IF_ERROR(budget.Work(1 + self.str().size() / 4));
  FM_ASSIGN_OR_RETURN(const Pieces pieces, PiecesFromRight(budget, self.str(), separator, limit));
  ListBuilder out(budget);
  for (auto piece = pieces.items.rbegin(); piece != pieces.items.rend(); ++piece) {
    FM_RETURN_IF_ERROR(out.PushText(*piece, self.text()->markup));
  }
  return std::move(out).Finish();
}

template <bool kReverse>
Result<Value> Partition(Budget& budget, const Value& self, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("partition", args, {"sep"}, 1));
  FM_ASSIGN_OR_RETURN(const std::string_view separator, bound.Str(0, ""));
  if (separator.empty()) return InvalidInput("empty separator");
  const std::string_view text = self.str();
  if (kReverse) FM_RETURN_IF_ERROR(ChargeReverse(budget, text, separator));
  const size_t hit = kReverse ? text.rfind(separator) : FindBytes(text, separator);
  std::string_view parts[3] = {text, "", ""};
  if (hit != std::string_view::npos) {
    parts[0] = text.substr(0, hit);
    parts[1] = separator;
    parts[2] = text.substr(hit + separator.size());
  } else if (kReverse) {
    std::swap(parts[0], parts[2]);
  }
  ListBuilder out(budget, ListKind::kTuple);
  for (const std::string_view part : parts) {
    FM_RETURN_IF_ERROR(out.PushText(part, self.text()->markup));
  }
  return std::move(out).Finish();
}

Result<Value> SplitLinesMethod(Budget& budget, const Value& self, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("splitlines", args, {"keepends"}));
  FM_ASSIGN_OR_RETURN(const Pieces lines, SplitLines(budget, self.str(), bound.Truthy(0, false)));
  ListBuilder out(budget);
  for (const std::string_view line : lines.items) {
    FM_RETURN_IF_ERROR(out.PushText(line, self.text()->markup));
  }
  return std::move(out).Finish();
}

Result<Value> Join(Budget& budget, const Value& self, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("join", args, {"iterable"}, 1));
  FM_ASSIGN_OR_RETURN(Iterator items, Iterator::Over(budget, bound[0]));
  TextBuilder out(budget);
  const bool markup = self.text()->markup;
  for (int64_t i = 0;; ++i) {
    FM_ASSIGN_OR_RETURN(const std::optional<Value> item, items.Next());
    if (!item) return std::move(out).Finish(markup);
    if (!item->IsText()) {
      return InvalidInput(
          fmt::format("sequence item {}: expected str instance, {} found", i, item->TypeName()));
    }
    TextPtr piece = item->text();
    if (markup) {
      FM_ASSIGN_OR_RETURN(piece, EscapeHtml(budget, piece));
    }
    if (i > 0) FM_RETURN_IF_ERROR(out.Append(self.str()));
    FM_RETURN_IF_ERROR(out.Append(piece->bytes));
  }
}

Result<char32_t> FillOf(const Bound& bound) {
  FM_ASSIGN_OR_RETURN(const std::string_view fill, bound.Str(1, " "));
  if (CountPoints(fill) != 1) {
    return InvalidInput("the fill character must be exactly one character long");
  }
  size_t pos = 0;
  return NextPoint(fill, pos);
}

Result<Value> CenterMethod(Budget& budget, const Value& self, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("center", args, {"width", "fillchar"}, 1));
  FM_ASSIGN_OR_RETURN(const int64_t width, bound.Int(0, 0));
  FM_ASSIGN_OR_RETURN(const char32_t fill, FillOf(bound));
  return Center(budget, *self.text(), width, fill);
}

template <bool kRight>
Result<Value> Justify(Budget& budget, const Value& self, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("ljust", args, {"width", "fillchar"}, 1));
  FM_ASSIGN_OR_RETURN(const int64_t width, bound.Int(0, 0));
  FM_ASSIGN_OR_RETURN(const char32_t fill, FillOf(bound));
  TextBuilder out(budget);
  if (!kRight) FM_RETURN_IF_ERROR(out.Append(self.str()));
  for (int64_t i = self.text()->points; i < width; ++i) {
    FM_RETURN_IF_ERROR(out.AppendPoint(fill));
  }
  if (kRight) FM_RETURN_IF_ERROR(out.Append(self.str()));
  return std::move(out).Finish(self.text()->markup);
}

Result<Value> ZeroFill(Budget& budget, const Value& self, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("zfill", args, {"width"}, 1));
  FM_ASSIGN_OR_RETURN(const int64_t width, bound.Int(0, 0));
  std::string_view text = self.str();
  TextBuilder out(budget);
  if (text.starts_with('-') || text.starts_with('+')) {
    FM_RETURN_IF_ERROR(out.Append(text.substr(0, 1)));
    text = text.substr(1);
  }
  const int64_t missing = width > self.text()->points ? width - self.text()->points : 0;
  FM_RETURN_IF_ERROR(out.Append('0', static_cast<uint64_t>(missing)));
  FM_RETURN_IF_ERROR(out.Append(text));
  return std::move(out).Finish(self.text()->markup);
}

Result<Value> ExpandTabs(Budget& budget, const Value& self, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("expandtabs", args, {"tabsize"}));
  FM_ASSIGN_OR_RETURN(const int64_t size, bound.Int(0, 8));
  TextBuilder out(budget);
  int64_t column = 0;
  for (size_t pos = 0; pos < self.str().size();) {
    const char32_t point = NextPoint(self.str(), pos);
    if (point == '\t') {
      const int64_t blanks = size > 0 ? size - column % size : 0;
      FM_RETURN_IF_ERROR(out.Append(' ', static_cast<uint64_t>(blanks)));
      column += blanks;
    } else {
      FM_RETURN_IF_ERROR(out.AppendPoint(point));
      column = point == '\n' || point == '\r' ? 0 : column + 1;
    }
  }
  return std::move(out).Finish(self.text()->markup);
}

Result<Value> Format(Budget& budget, const Value& self, const Args& args) {
  return BraceFormat(budget, *self.text(), args);
}

template <bool (*kPredicate)(std::string_view)>
Result<Value> Is(Budget& budget, const Value& self, const Args& args) {
  FM_RETURN_IF_ERROR(NoArguments("a string method", args));
  FM_RETURN_IF_ERROR(budget.Work(1 + self.str().size() / 16));
  return Value::Bool(kPredicate(self.str()));
}

template <bool (*kPredicate)(char32_t), bool kIfEmpty = false>
bool AllPoints(std::string_view text) {
  if (text.empty()) return kIfEmpty;
  for (size_t pos = 0; pos < text.size();) {
    if (!kPredicate(NextPoint(text, pos))) return false;
  }
  return true;
}

bool IsAlphanumeric(char32_t point) { return IsAlpha(point) || IsNumeric(point); }
bool IsAscii(char32_t point) { return point < 0x80; }

bool IsTitleText(std::string_view text) {
  bool any = false;
  bool inside = false;
  for (size_t pos = 0; pos < text.size();) {
    const char32_t point = NextPoint(text, pos);
    if (IsUpper(point) ? inside : IsLower(point) && !inside) return false;
    inside = IsUpper(point) || IsLower(point);
    any = any || inside;
  }
  return any;
}

bool IsIdentifier(std::string_view text) {
  for (size_t pos = 0; pos < text.size();) {
    const bool first = pos == 0;
    const char32_t point = NextPoint(text, pos);
    if (point != '_' && !IsAlpha(point) && (first || !IsDigit(point))) return false;
  }
  return !text.empty();
}

struct Entry {
  std::string_view name;
  Method method;
};

constexpr Entry kMethods[] = {
    {"capitalize", Convert<Capitalize>},
    {"casefold", Convert<ToLower>},
    {"center", CenterMethod},
    {"count", Count},
    {"endswith", Affix<true>},
    {"expandtabs", ExpandTabs},
    {"find", Find<false>},
    {"format", Format},
    {"index", Index<false>},
    {"isalnum", Is<AllPoints<IsAlphanumeric>>},
    {"isalpha", Is<AllPoints<IsAlpha>>},
    {"isascii", Is<AllPoints<IsAscii, true>>},
    {"isdecimal", Is<AllPoints<IsDigit>>},
    {"isdigit", Is<AllPoints<IsDigit>>},
    {"isidentifier", Is<IsIdentifier>},
    {"islower", Is<IsLowerText>},
    {"isnumeric", Is<AllPoints<IsNumeric>>},
    {"isprintable", Is<AllPoints<IsPrintable, true>>},
    {"isspace", Is<AllPoints<IsSpace>>},
    {"istitle", Is<IsTitleText>},
    {"isupper", Is<IsUpperText>},
    {"join", Join},
    {"ljust", Justify<false>},
    {"lower", Convert<ToLower>},
    {"lstrip", StripMethod<Side::kLeft>},
    {"partition", Partition<false>},
    {"removeprefix", RemoveAffix<false>},
    {"removesuffix", RemoveAffix<true>},
    {"replace", ReplaceMethod},
    {"rfind", Find<true>},
    {"rindex", Index<true>},
    {"rjust", Justify<true>},
    {"rpartition", Partition<true>},
    {"rsplit", SplitRight},
    {"rstrip", StripMethod<Side::kRight>},
    {"split", Split},
    {"splitlines", SplitLinesMethod},
    {"startswith", Affix<false>},
    {"strip", StripMethod<Side::kBoth>},
    {"swapcase", Convert<SwapCase>},
    {"title", Convert<TitleCase>},
    {"upper", Convert<ToUpper>},
    {"zfill", ZeroFill},
};

}  // namespace

Method FindTextMethod(std::string_view name) {
  for (const Entry& entry : kMethods) {
    if (entry.name == name) return entry.method;
  }
  return nullptr;
}

}  // namespace flashmoe::jinja
