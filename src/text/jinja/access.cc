#include "text/jinja/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "text/jinja/characters.h"
#include "text/jinja/compare.h"
#include "text/jinja/operators.h"
#include "text/jinja/repr.h"

namespace flashmoe::jinja {
namespace {

class BoundMethod final : public Object {
 public:
  BoundMethod(Value self, std::string_view name, Method method)
      : self_(std::move(self)), name_(name), method_(method) {}
  std::string_view TypeName() const override { return "builtin_function_or_method"; }
  Status Describe(TextBuilder& out) const override {
    return out.Append(fmt::format("<built-in method {} of {} object>", name_, self_.TypeName()));
  }
  Result<std::optional<Value>> Attribute(Budget&, std::string_view) override {
    return std::nullopt;
  }
  Result<Value> Call(Budget& budget, const Args& args) override {
    return method_(budget, self_, args);
  }

 private:
  Value self_;
  std::string name_;
  Method method_;
};

// Methods that the reference's sandbox refuses because they change their object.
bool IsRefused(const Value& value, std::string_view name) {
  static constexpr std::string_view kDict[] = {"clear", "pop", "popitem", "setdefault", "update"};
  static constexpr std::string_view kList[] = {"append", "extend",  "insert",
                                               "remove", "reverse", "sort"};
  if (value.IsDict()) return std::find(std::begin(kDict), std::end(kDict), name) != std::end(kDict);
  if (!value.IsList() || value.list()->kind != ListKind::kList) return false;
  return std::find(std::begin(kList), std::end(kList), name) != std::end(kList);
}

Result<Value> Missing(Budget& budget, const Value& value, std::string_view name) {
  return MakeUndefined(budget, fmt::format("'{}{}' has no attribute '{}'", value.TypeName(),
                                           value.IsNone() ? "" : " object", name.substr(0, 100)));
}

Result<Value> MissingItem(Budget& budget, const Value& value, const Value& key) {
  if (key.IsText()) {
    const std::string_view name = key.str();
    return Missing(budget, value, name.substr(0, ByteOffset(name, 100)));
  }
  return MakeUndefined(budget,
                       fmt::format("{} object has no element {}", value.TypeName(), Shown(key)));
}

// The character or item at an index, counted from the end if negative.
Result<std::optional<Value>> Element(Budget& budget, const Value& value, int64_t index) {
  if (value.IsText()) {
    const Text& text = *value.text();
    if (index < 0) index += text.points;
    if (index < 0 || index >= text.points) return std::nullopt;
    if (text.ascii()) {
      return MakeText(budget, std::string_view(text.bytes).substr(static_cast<size_t>(index), 1),
                      text.markup);
    }
    FM_RETURN_IF_ERROR(budget.Work(text.bytes.size() / 64));
    const size_t begin = ByteOffset(text.bytes, index);
    size_t end = begin;
    NextPoint(text.bytes, end);
    return MakeText(budget, std::string_view(text.bytes).substr(begin, end - begin), text.markup);
  }
  if (!value.IsList()) return std::nullopt;
  const List& list = *value.list();
  if (list.kind != ListKind::kList && !list.is_tuple() && list.kind != ListKind::kRange) {
    return std::nullopt;
  }
  const auto size = static_cast<int64_t>(list.items.size());
  if (index < 0) index += size;
  if (index < 0 || index >= size) return std::nullopt;
  return list.items[static_cast<size_t>(index)];
}

// start, step and count of the elements that a slice takes of `length`.
struct SliceRange {
  int64_t start = 0;
  int64_t step = 1;
  int64_t count = 0;
};

Result<SliceRange> ResolveSlice(int64_t length, const Value& start, const Value& stop,
                                const Value& step) {
  for (const Value* part : {&start, &stop, &step}) {
    if (part->IsUndefined()) return UndefinedError(*part);
    if (!part->IsNone() && !part->AsInt()) {
      return InvalidInput("slice indices must be integers or None");
    }
  }
  SliceRange range;
  range.step = step.AsInt().value_or(1);
  if (range.step == 0) return InvalidInput("slice step cannot be zero");
  // No step can reach farther than the length; this keeps the sums below in range.
  range.step = std::clamp(range.step, -length - 1, length + 1);
  const bool down = range.step < 0;
  const auto clip = [&](const Value& bound, int64_t fallback) {
    if (bound.IsNone()) return fallback;
    int64_t index = std::clamp(*bound.AsInt(), -length - 1, length);
    if (index < 0) index += length;
    return std::clamp<int64_t>(index, down ? -1 : 0, down ? length - 1 : length);
  };
  range.start = clip(start, down ? length - 1 : 0);
  const int64_t end = clip(stop, down ? -1 : length);
  const int64_t span = down ? range.start - end : end - range.start;
  const int64_t stride = down ? -range.step : range.step;
  range.count = span <= 0 ? 0 : (span + stride - 1) / stride;
  return range;
}

Result<Value> SliceText(Budget& budget, const Text& text, const SliceRange& range) {
  FM_RETURN_IF_ERROR(budget.Work(text.bytes.size() / 64));
  const std::string_view bytes = text.bytes;
  if (range.step == 1 || range.count <= 1) {
    const size_t begin =
        text.ascii() ? static_cast<size_t>(range.start) : ByteOffset(bytes, range.start);
    const std::string_view rest = range.count == 0 ? std::string_view() : bytes.substr(begin);
    return MakeText(budget, rest.substr(0, ByteOffset(rest, range.count)), text.markup);
  }
  std::vector<uint32_t> offsets;
  Charge charge(&budget);
  FM_RETURN_IF_ERROR(charge.Grow(4 * static_cast<uint64_t>(text.points)));
  FM_RETURN_IF_ERROR(budget.Work(1 + static_cast<uint64_t>(text.points) / 8));
  for (size_t pos = 0; pos < bytes.size(); NextPoint(bytes, pos)) {
    offsets.push_back(static_cast<uint32_t>(pos));
  }
  TextBuilder out(budget);
  for (int64_t i = 0; i < range.count; ++i) {
    size_t pos = offsets[static_cast<size_t>(range.start + i * range.step)];
    FM_RETURN_IF_ERROR(out.AppendPoint(NextPoint(bytes, pos)));
  }
  return std::move(out).Finish(text.markup);
}

Result<Value> SliceList(Budget& budget, const List& list, const SliceRange& range) {
  ListBuilder out(budget, list.kind == ListKind::kGroup ? ListKind::kTuple : list.kind);
  for (int64_t i = 0; i < range.count; ++i) {
    FM_RETURN_IF_ERROR(out.Push(list.items[static_cast<size_t>(range.start + i * range.step)]));
  }
  FM_ASSIGN_OR_RETURN(Value sliced, std::move(out).Finish());
  if (list.kind == ListKind::kRange) {
    // Only for printing, so a bound that leaves 64 bits may wrap.
    const auto wrap = [](int64_t base, int64_t a, int64_t b) {
      return static_cast<int64_t>(static_cast<uint64_t>(base) +
                                  static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
    };
    List& result = *sliced.list();
    result.step = wrap(0, list.step, range.step);
    result.start = wrap(list.start, range.start, list.step);
    result.stop = wrap(result.start, range.count, result.step);
  }
  return sliced;
}

}  // namespace

Method FindMethod(const Value& value, std::string_view name) {
  if (value.IsText()) return FindTextMethod(name);
  if (value.IsDict()) return FindDictMethod(name);
  if (!value.IsList()) return nullptr;
  if (value.list()->kind == ListKind::kList) return FindListMethod(name);
  return value.list()->is_tuple() ? FindTupleMethod(name) : nullptr;
}

Result<std::optional<Value>> GetMember(Budget& budget, const Value& value, std::string_view name) {
  if (value.IsUndefined()) return UndefinedError(value);
  if (value.IsObject()) return value.object()->Attribute(budget, name);
  if (const Method method = FindMethod(value, name)) {
    return Value(ObjectPtr(std::make_shared<BoundMethod>(value, name, method)));
  }
  if (IsRefused(value, name)) {
    return MakeUndefined(budget, fmt::format("access to attribute '{}' of '{}' object is unsafe",
                                             name, value.TypeName()));
  }
  if (value.IsList() && value.list()->kind == ListKind::kGroup) {
    if (name == "grouper") return value.list()->items[0];
    if (name == "list") return value.list()->items[1];
  }
  return std::nullopt;
}

Result<Value> GetAttribute(Budget& budget, const Value& value, std::string_view name) {
  FM_ASSIGN_OR_RETURN(std::optional<Value> member, GetMember(budget, value, name));
  if (member) return *member;
  if (value.IsDict()) {
    if (const Value* found = value.dict()->Find(name)) return *found;
  }
  return Missing(budget, value, name);
}

Result<Value> GetItem(Budget& budget, const Value& value, const Value& key) {
  if (value.IsUndefined()) return UndefinedError(value);
  if (value.IsDict()) {
    // An unhashable key is merely not there.
    const auto found = FindEntry(budget, *value.dict(), key);
    if (found.has_value() && *found) return value.dict()->entries[**found].second;
  } else if (const auto index = key.AsInt()) {
    FM_ASSIGN_OR_RETURN(std::optional<Value> element, Element(budget, value, *index));
    if (element) return *element;
  }
  if (key.IsText()) {
    FM_ASSIGN_OR_RETURN(std::optional<Value> member, GetMember(budget, value, key.str()));
    if (member) return *member;
  }
  return MissingItem(budget, value, key);
}

Result<Value> GetPath(Budget& budget, const Value& value, const Value& path) {
  if (!path.IsText()) return GetItem(budget, value, path);
  Value at = value;
  std::string_view rest = path.str();
  while (true) {
    const size_t dot = std::min(rest.find('.'), rest.size());
    const std::string_view part = rest.substr(0, dot);
    int64_t index = 0;
    const auto parsed = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool is_index = !part.empty() && part[0] != '-' && parsed.ec == std::errc() &&
                          parsed.ptr == part.data() + part.size();
    Value key = Value::Int(index);
    if (!is_index) {
      FM_ASSIGN_OR_RETURN(key, MakeText(budget, part));
    }
    FM_ASSIGN_OR_RETURN(at, GetItem(budget, at, key));
    if (dot == rest.size()) return at;
    rest = rest.substr(dot + 1);
  }
}

Result<Value> GetSlice(Budget& budget, const Value& value, const Value& start, const Value& stop,
                       const Value& step) {
  if (value.IsUndefined()) return UndefinedError(value);
  const bool list =
      value.IsList() && (value.list()->kind == ListKind::kList || value.list()->is_tuple() ||
                         value.list()->kind == ListKind::kRange);
  if (!list && !value.IsText()) {
    return InvalidInput(fmt::format("'{}' object cannot be sliced", value.TypeName()));
  }
  const int64_t length =
      value.IsText() ? value.text()->points : static_cast<int64_t>(value.list()->items.size());
  FM_ASSIGN_OR_RETURN(const SliceRange range, ResolveSlice(length, start, stop, step));
  if (value.IsText()) return SliceText(budget, *value.text(), range);
  return SliceList(budget, *value.list(), range);
}

}  // namespace flashmoe::jinja
