// Filters that order, group and reshape sequences.
#include <fmt/format.h>

#include <algorithm>

#include "text/jinja/access.h"
#include "text/jinja/builtins.h"
#include "text/jinja/characters.h"
#include "text/jinja/compare.h"
#include "text/jinja/iterate.h"
#include "text/jinja/operators.h"
#include "text/jinja/sort.h"

namespace flashmoe::jinja {
namespace {

Result<Value> Folded(Budget& budget, const Value& value, bool case_sensitive) {
  if (case_sensitive || !value.IsText()) return value;
  FM_RETURN_IF_ERROR(budget.Work(1 + value.str().size() / 16));
  return MakeText(budget, ToLower(value.str()));
}

// What items are compared by: an attribute if one is named, in lower case if case does not matter.
Result<Value> KeyOf(Budget& budget, const Value& item, const Bound& bound, size_t attribute_at,
                    bool case_sensitive) {
  if (!bound.HasSome(attribute_at)) return Folded(budget, item, case_sensitive);
  FM_ASSIGN_OR_RETURN(const Value key, GetPath(budget, item, bound[attribute_at]));
  return Folded(budget, key, case_sensitive);
}

using Keyed = std::pair<Value, Value>;  // key, item

Status SortKeyed(Budget& budget, std::vector<Keyed>& items, bool reverse) {
  return StableSort(items, [&](const Keyed& a, const Keyed& b) {
    return reverse ? Less(budget, b.first, a.first) : Less(budget, a.first, b.first);
  });
}

Result<Value> ItemsOf(Budget& budget, std::vector<Keyed> keyed) {
  ListBuilder out(budget);
  for (Keyed& entry : keyed) FM_RETURN_IF_ERROR(out.Push(std::move(entry.second)));
  return std::move(out).Finish();
}

// The key of `sort`, whose attribute may be several, separated by commas.
Result<Value> SortKey(Budget& budget, const Value& item, const Bound& bound, bool case_sensitive) {
  if (!bound.HasSome(2) || !bound[2].IsText() ||
      bound[2].str().find(',') == std::string_view::npos) {
    return KeyOf(budget, item, bound, 2, case_sensitive);
  }
  ListBuilder keys(budget);
  std::string_view rest = bound[2].str();
  while (true) {
    const size_t comma = std::min(rest.find(','), rest.size());
    FM_ASSIGN_OR_RETURN(const Value path, MakeText(budget, rest.substr(0, comma)));
    FM_ASSIGN_OR_RETURN(const Value key, GetPath(budget, item, path));
    FM_ASSIGN_OR_RETURN(Value folded, Folded(budget, key, case_sensitive));
    FM_RETURN_IF_ERROR(keys.Push(std::move(folded)));
    if (comma == rest.size()) return std::move(keys).Finish();
    rest = rest.substr(comma + 1);
  }
}

Result<Value> Sort(Budget& budget, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound,
                      Bound::Bind("sort", args, {"reverse", "case_sensitive", "attribute"}));
  FM_ASSIGN_OR_RETURN(const std::vector<Value> items, Collect(budget, value));
  Charge charge(&budget);
  FM_RETURN_IF_ERROR(charge.Grow(items.size() * 2 * sizeof(Keyed)));
  std::vector<Keyed> keyed;
  for (const Value& item : items) {
    FM_ASSIGN_OR_RETURN(Value key, SortKey(budget, item, bound, bound.Truthy(1, false)));
    keyed.emplace_back(std::move(key), item);
  }
  FM_RETURN_IF_ERROR(SortKeyed(budget, keyed, bound.Truthy(0, false)));
  return ItemsOf(budget, std::move(keyed));
}

Result<Value> DictSort(Budget& budget, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound,
                      Bound::Bind("dictsort", args, {"case_sensitive", "by", "reverse"}));
  FM_ASSIGN_OR_RETURN(const std::string_view by, bound.Str(1, "key"));
  if (by != "key" && by != "value") {
    return InvalidInput("dictsort: you can only sort by either \"key\" or \"value\"");
  }
  if (value.IsUndefined()) return UndefinedError(value);
  if (!value.IsDict()) return InvalidInput("dictsort needs a mapping");
  const auto& entries = value.dict()->entries;
  Charge charge(&budget);
  FM_RETURN_IF_ERROR(charge.Grow(entries.size() * 2 * sizeof(Keyed)));
  std::vector<Keyed> keyed;
  for (const auto& [key, entry] : entries) {
    FM_ASSIGN_OR_RETURN(Value pair, MakeList(budget, ListKind::kTuple, {key, entry}));
    FM_ASSIGN_OR_RETURN(Value sort_key,
                        Folded(budget, by == "key" ? key : entry, bound.Truthy(0, false)));
    keyed.emplace_back(std::move(sort_key), std::move(pair));
  }
  FM_RETURN_IF_ERROR(SortKeyed(budget, keyed, bound.Truthy(2, false)));
  return ItemsOf(budget, std::move(keyed));
}

Result<Value> GroupBy(Budget& budget, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound,
                      Bound::Bind("groupby", args, {"attribute", "default", "case_sensitive"}, 1));
  FM_ASSIGN_OR_RETURN(const std::vector<Value> items, Collect(budget, value));
  Charge charge(&budget);
  FM_RETURN_IF_ERROR(charge.Grow(items.size() * 2 * sizeof(Keyed)));
  const bool case_sensitive = bound.Truthy(2, false);
  std::vector<Keyed> keyed;
  for (const Value& item : items) {
    FM_ASSIGN_OR_RETURN(Value key, GetPath(budget, item, bound[0]));
    if (key.IsUndefined() && bound.Has(1)) key = bound[1];
    FM_ASSIGN_OR_RETURN(key, Folded(budget, key, case_sensitive));
    keyed.emplace_back(std::move(key), item);
  }
  FM_RETURN_IF_ERROR(SortKeyed(budget, keyed, false));
  ListBuilder groups(budget);
  for (size_t begin = 0, end = 0; begin < keyed.size(); begin = end) {
    ListBuilder members(budget);
    for (bool same = true; end < keyed.size();) {
      FM_ASSIGN_OR_RETURN(same, Equal(budget, keyed[begin].first, keyed[end].first));
      if (!same) break;
      FM_RETURN_IF_ERROR(members.Push(keyed[end++].second));
    }
    if (end == begin) ++end;  // NaN equals nothing, itself included
    // The group is named as its first member spells it.
    FM_ASSIGN_OR_RETURN(Value name, GetPath(budget, keyed[begin].second, bound[0]));
    if (name.IsUndefined() && bound.Has(1)) name = bound[1];
    FM_ASSIGN_OR_RETURN(Value list, std::move(members).Finish());
    FM_ASSIGN_OR_RETURN(Value group,
                        MakeList(budget, ListKind::kGroup, {std::move(name), std::move(list)}));
    FM_RETURN_IF_ERROR(groups.Push(std::move(group)));
  }
  return std::move(groups).Finish();
}

template <bool kMax>
Result<Value> Extreme(Budget& budget, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound,
                      Bound::Bind(kMax ? "max" : "min", args, {"case_sensitive", "attribute"}));
  FM_ASSIGN_OR_RETURN(Iterator items, Iterator::Over(budget, value));
  std::optional<Keyed> best;
  while (true) {
    FM_ASSIGN_OR_RETURN(const std::optional<Value> item, items.Next());
    if (!item) break;
    FM_ASSIGN_OR_RETURN(Value key, KeyOf(budget, *item, bound, 1, bound.Truthy(0, false)));
    bool better = true;
    if (best) {
      FM_ASSIGN_OR_RETURN(better,
                          kMax ? Less(budget, best->first, key) : Less(budget, key, best->first));
    }
    if (better) best.emplace(std::move(key), *item);
  }
  if (best) return best->second;
  return MakeUndefined(budget, "No aggregated item, sequence was empty.");
}

Result<Value> Unique(Budget& budget, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound,
                      Bound::Bind("unique", args, {"case_sensitive", "attribute"}));
  FM_ASSIGN_OR_RETURN(Iterator items, Iterator::Over(budget, value));
  Dict keys;
  keys.charge = Charge(&budget);
  ListBuilder out(budget, ListKind::kGenerator);
  while (true) {
    FM_ASSIGN_OR_RETURN(const std::optional<Value> item, items.Next());
    if (!item) return std::move(out).Finish();
    FM_ASSIGN_OR_RETURN(const Value key, KeyOf(budget, *item, bound, 1, bound.Truthy(0, false)));
    const size_t before = keys.entries.size();
    FM_RETURN_IF_ERROR(PutEntry(budget, keys, key, Value::None()));
    if (keys.entries.size() > before) FM_RETURN_IF_ERROR(out.Push(*item));
  }
}

Result<Value> Sum(Budget& budget, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("sum", args, {"attribute", "start"}));
  FM_ASSIGN_OR_RETURN(Iterator items, Iterator::Over(budget, value));
  Value total = bound.Get(1, Value::Int(0));
  if (total.IsText()) return InvalidInput("sum() can't sum strings");
  while (true) {
    FM_ASSIGN_OR_RETURN(std::optional<Value> item, items.Next());
    if (!item) return total;
    if (bound.HasSome(0)) {
      FM_ASSIGN_OR_RETURN(item, GetPath(budget, *item, bound[0]));
    }
    FM_ASSIGN_OR_RETURN(total, Apply(budget, BinaryOp::kAdd, total, *item));
  }
}

Result<Value> First(Budget& budget, const Value& value, const Args&) {
  FM_ASSIGN_OR_RETURN(Iterator items, Iterator::Over(budget, value));
  FM_ASSIGN_OR_RETURN(std::optional<Value> item, items.Next());
  if (item) return *item;
  return MakeUndefined(budget, "No first item, sequence was empty.");
}

Result<Value> Last(Budget& budget, const Value& value, const Args&) {
  if (value.IsText() || (value.IsList() && value.list()->kind != ListKind::kGenerator)) {
    const Value minus_one = Value::Int(-1);
    const bool empty = !value.Truthy();
    if (!empty && value.IsList()) return value.list()->items.back();
    if (!empty) return GetItem(budget, value, minus_one);
  } else if (value.IsDict()) {
    if (!value.dict()->entries.empty()) return value.dict()->entries.back().first;
  } else if (!value.IsUndefined()) {
    return InvalidInput(fmt::format("'{}' object is not reversible", value.TypeName()));
  }
  return MakeUndefined(budget, "No last item, sequence was empty.");
}

Result<Value> Reverse(Budget& budget, const Value& value, const Args&) {
  if (value.IsText()) {
    return GetSlice(budget, value, Value::None(), Value::None(), Value::Int(-1));
  }
  FM_ASSIGN_OR_RETURN(std::vector<Value> items, Collect(budget, value));
  std::reverse(items.begin(), items.end());
  const bool walked = value.IsList() && value.list()->kind == ListKind::kGenerator;
  return MakeList(budget, walked ? ListKind::kList : ListKind::kGenerator, std::move(items));
}

Result<Value> List(Budget& budget, const Value& value, const Args&) {
  FM_ASSIGN_OR_RETURN(std::vector<Value> items, Collect(budget, value));
  return MakeList(budget, ListKind::kList, std::move(items));
}

Result<Value> Items(Budget& budget, const Value& value, const Args&) {
  if (value.IsUndefined()) return MakeList(budget, ListKind::kGenerator, {});
  if (!value.IsDict()) return InvalidInput("Can only get item pairs from a mapping.");
  FM_ASSIGN_OR_RETURN(Value items, FindDictMethod("items")(budget, value, {}));
  items.list()->kind = ListKind::kGenerator;
  return items;
}

Result<Value> Join(Budget& budget, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("join", args, {"d", "attribute"}));
  FM_ASSIGN_OR_RETURN(Iterator items, Iterator::Over(budget, value));
  TextPtr separator;
  if (bound.Has(0)) {
    FM_ASSIGN_OR_RETURN(separator, ToText(budget, bound[0]));
  }
  TextBuilder out(budget);
  for (bool first = true;; first = false) {
    FM_ASSIGN_OR_RETURN(std::optional<Value> item, items.Next());
    if (!item) return std::move(out).Finish();
    if (bound.HasSome(1)) {
      FM_ASSIGN_OR_RETURN(item, GetPath(budget, *item, bound[1]));
    }
    FM_ASSIGN_OR_RETURN(const TextPtr text, ToText(budget, *item));
    if (!first && separator) FM_RETURN_IF_ERROR(out.Append(separator->bytes));
    FM_RETURN_IF_ERROR(out.Append(text->bytes));
  }
}

Result<Value> Batch(Budget& budget, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("batch", args, {"linecount", "fill_with"}, 1));
  FM_ASSIGN_OR_RETURN(const int64_t size, bound.Int(0, 0));
  FM_ASSIGN_OR_RETURN(const std::vector<Value> items, Collect(budget, value));
  ListBuilder out(budget, ListKind::kGenerator);
  for (size_t begin = 0; begin < items.size();) {
    ListBuilder row(budget);
    const size_t left = items.size() - begin;
    // A size of zero gives an empty line and then everything, a negative one just everything.
    if (size == 0) {
      FM_ASSIGN_OR_RETURN(Value empty, MakeList(budget, ListKind::kList, {}));
      FM_RETURN_IF_ERROR(out.Push(std::move(empty)));
    }
    const size_t count = size <= 0 ? left : std::min<uint64_t>(left, static_cast<uint64_t>(size));
    for (size_t i = 0; i < count; ++i) FM_RETURN_IF_ERROR(row.Push(items[begin + i]));
    begin += count;
    if (bound.HasSome(1)) {
      for (int64_t i = static_cast<int64_t>(count); i < size; ++i) {
        FM_RETURN_IF_ERROR(row.Push(bound[1]));
      }
    }
    FM_ASSIGN_OR_RETURN(Value list, std::move(row).Finish());
    FM_RETURN_IF_ERROR(out.Push(std::move(list)));
  }
  return std::move(out).Finish();
}

Result<Value> Columns(Budget& budget, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("slice", args, {"slices", "fill_with"}, 1));
  FM_ASSIGN_OR_RETURN(const int64_t slices, bound.Int(0, 0));
  FM_ASSIGN_OR_RETURN(const std::vector<Value> items, Collect(budget, value));
  if (slices == 0) return InvalidInput("integer division or modulo by zero");
  const auto length = static_cast<int64_t>(items.size());
  const int64_t each = slices < 0 ? 0 : length / slices;
  const int64_t longer = slices < 0 ? 0 : length % slices;
  ListBuilder out(budget, ListKind::kGenerator);
  int64_t next = 0;
  for (int64_t slice = 0; slice < slices; ++slice) {
    ListBuilder row(budget);
    const int64_t count = each + (slice < longer ? 1 : 0);
    for (int64_t i = 0; i < count; ++i) {
      FM_RETURN_IF_ERROR(row.Push(items[static_cast<size_t>(next++)]));
    }
    if (bound.HasSome(1) && slice >= longer) FM_RETURN_IF_ERROR(row.Push(bound[1]));
    FM_ASSIGN_OR_RETURN(Value list, std::move(row).Finish());
    FM_RETURN_IF_ERROR(out.Push(std::move(list)));
  }
  return std::move(out).Finish();
}

struct Entry {
  std::string_view name;
  Filter filter;
};

constexpr Entry kFilters[] = {
    {"batch", Batch},        {"dictsort", DictSort}, {"first", First},
    {"groupby", GroupBy},    {"items", Items},       {"join", Join},
    {"last", Last},          {"list", List},         {"max", Extreme<true>},
    {"min", Extreme<false>}, {"reverse", Reverse},   {"slice", Columns},
    {"sort", Sort},          {"sum", Sum},           {"unique", Unique},
};

}  // namespace

Filter FindSequenceFilter(std::string_view name) {
  for (const Entry& entry : kFilters) {
    if (entry.name == name) return entry.filter;
  }
  return nullptr;
}

}  // namespace flashmoe::jinja
