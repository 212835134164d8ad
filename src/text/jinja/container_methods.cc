// The methods of lists, tuples and dicts.
#include <fmt/format.h>

#include "text/jinja/access.h"
#include "text/jinja/compare.h"
#include "text/jinja/repr.h"

namespace flashmoe::jinja {
namespace {

Result<Value> Count(Budget& budget, const Value& self, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("count", args, {"value"}, 1));
  int64_t count = 0;
  for (const Value& item : self.list()->items) {
    FM_ASSIGN_OR_RETURN(const bool equal, Equal(budget, item, bound[0]));
    count += equal ? 1 : 0;
  }
  return Value::Int(count);
}

Result<Value> Index(Budget& budget, const Value& self, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("index", args, {"value", "start", "stop"}, 1));
  const auto& items = self.list()->items;
  const auto size = static_cast<int64_t>(items.size());
  FM_ASSIGN_OR_RETURN(int64_t begin, bound.Int(1, 0));
  FM_ASSIGN_OR_RETURN(int64_t end, bound.Int(2, size));
  if (begin < 0) begin = std::max<int64_t>(begin + size, 0);
  if (end < 0) end += size;
  for (int64_t i = begin; i < std::min(end, size); ++i) {
    FM_ASSIGN_OR_RETURN(const bool equal, Equal(budget, items[static_cast<size_t>(i)], bound[0]));
    if (equal) return Value::Int(i);
  }
  return InvalidInput(fmt::format("{} is not in list", Shown(bound[0])));
}

Result<Value> CopyList(Budget& budget, const Value& self, const Args& args) {
  FM_RETURN_IF_ERROR(Bound::Bind("copy", args, {}));
  return MakeList(budget, ListKind::kList, self.list()->items);
}

// The reference's sandbox permits this method and the next, although they change the list.
Result<Value> Pop(Budget& budget, const Value& self, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("pop", args, {"index"}));
  auto& items = self.list()->items;
  const auto size = static_cast<int64_t>(items.size());
  FM_ASSIGN_OR_RETURN(int64_t index, bound.Int(0, -1));
  if (index < 0) index += size;
  if (size == 0) return InvalidInput("pop from empty list");
  if (index < 0 || index >= size) return InvalidInput("pop index out of range");
  FM_RETURN_IF_ERROR(budget.Work(1 + static_cast<uint64_t>(size - index) / 4));
  Value popped = items[static_cast<size_t>(index)];
  items.erase(items.begin() + index);
  return popped;
}

Result<Value> ClearList(Budget&, const Value& self, const Args& args) {
  FM_RETURN_IF_ERROR(Bound::Bind("clear", args, {}));
  self.list()->items.clear();
  return Value::None();
}

Result<Value> Get(Budget& budget, const Value& self, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("get", args, {"key", "default"}, 1));
  if (!args.named.empty()) return InvalidInput("dict.get() takes no keyword arguments");
  FM_ASSIGN_OR_RETURN(const auto found, FindEntry(budget, *self.dict(), bound[0]));
  return found ? self.dict()->entries[*found].second : bound.Get(1, Value::None());
}

Result<Value> Keys(Budget& budget, const Value& self, const Args& args) {
  FM_RETURN_IF_ERROR(Bound::Bind("keys", args, {}));
  ListBuilder out(budget, ListKind::kKeys);
  for (const auto& entry : self.dict()->entries) FM_RETURN_IF_ERROR(out.Push(entry.first));
  return std::move(out).Finish();
}

Result<Value> Values(Budget& budget, const Value& self, const Args& args) {
  FM_RETURN_IF_ERROR(Bound::Bind("values", args, {}));
  ListBuilder out(budget, ListKind::kValues);
  for (const auto& entry : self.dict()->entries) FM_RETURN_IF_ERROR(out.Push(entry.second));
  return std::move(out).Finish();
}

Result<Value> Items(Budget& budget, const Value& self, const Args& args) {
  FM_RETURN_IF_ERROR(Bound::Bind("items", args, {}));
  ListBuilder out(budget, ListKind::kItems);
  for (const auto& [key, value] : self.dict()->entries) {
    FM_ASSIGN_OR_RETURN(Value pair, MakeList(budget, ListKind::kTuple, {key, value}));
    FM_RETURN_IF_ERROR(out.Push(std::move(pair)));
  }
  return std::move(out).Finish();
}

Result<Value> CopyDict(Budget& budget, const Value& self, const Args& args) {
  FM_RETURN_IF_ERROR(Bound::Bind("copy", args, {}));
  DictBuilder out(budget);
  for (const auto& [key, value] : self.dict()->entries) FM_RETURN_IF_ERROR(out.Put(key, value));
  return std::move(out).Finish();
}

}  // namespace

Method FindListMethod(std::string_view name) {
  if (name == "pop") return Pop;
  if (name == "clear") return ClearList;
  if (name == "copy") return CopyList;
  return FindTupleMethod(name);
}

Method FindTupleMethod(std::string_view name) {
  if (name == "count") return Count;
  if (name == "index") return Index;
  return nullptr;
}

Method FindDictMethod(std::string_view name) {
  if (name == "get") return Get;
  if (name == "items") return Items;
  if (name == "keys") return Keys;
  if (name == "values") return Values;
  if (name == "copy") return CopyDict;
  return nullptr;
}

}  // namespace flashmoe::jinja
