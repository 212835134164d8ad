#include "text/jinja/compare.h"

#include <fmt/format.h>

#include <cmath>
#include <functional>

#include "text/jinja/characters.h"

namespace flashmoe::jinja {
namespace {

// Exact for every int64 and every double where long double has a mantissa of 64 bits.
std::partial_ordering OrderNumbers(const Value& a, const Value& b) {
  if (!a.IsFloat() && !b.IsFloat()) return *a.AsInt() <=> *b.AsInt();
  const auto wide = [](const Value& v) {
    return v.IsFloat() ? static_cast<long double>(v.float_value())
                       : static_cast<long double>(*v.AsInt());
  };
  return wide(a) <=> wide(b);
}

// Which lists can be equal to each other.
int ListClass(const List& list) {
  switch (list.kind) {
    case ListKind::kTuple:
    case ListKind::kGroup:
      return 1;
    case ListKind::kRange:
      return 2;
    case ListKind::kKeys:
    case ListKind::kItems:
      return 3;
    case ListKind::kGenerator:
    case ListKind::kValues:
      return -1;
    case ListKind::kList:
      break;
  }
  return 0;
}

Result<bool> EqualLists(Budget& budget, const List& a, const List& b) {
  if (&a == &b) return true;
  if (ListClass(a) < 0 || ListClass(a) != ListClass(b)) return false;
  if (a.items.size() != b.items.size()) return false;
  for (size_t i = 0; i < a.items.size(); ++i) {
    FM_ASSIGN_OR_RETURN(const bool equal, Equal(budget, a.items[i], b.items[i]));
    if (!equal) return false;
  }
  return true;
}

Result<bool> EqualDicts(Budget& budget, const Dict& a, const Dict& b) {
  if (&a == &b) return true;
  if (a.entries.size() != b.entries.size()) return false;
  for (const auto& [key, value] : a.entries) {
    FM_ASSIGN_OR_RETURN(const std::optional<size_t> found, FindEntry(budget, b, key));
    if (!found) return false;
    FM_ASSIGN_OR_RETURN(const bool equal, Equal(budget, value, b.entries[*found].second));
    if (!equal) return false;
  }
  return true;
}

Result<std::partial_ordering> OrderLists(Budget& budget, const List& a, const List& b,
                                         std::string_view op) {
  for (size_t i = 0; i < a.items.size() && i < b.items.size(); ++i) {
    FM_ASSIGN_OR_RETURN(const bool equal, Equal(budget, a.items[i], b.items[i]));
    if (!equal) return Order(budget, a.items[i], b.items[i], op);
  }
  return a.items.size() <=> b.items.size();
}

Result<bool> ContainsItem(Budget& budget, List& list, const Value& item) {
  size_t i = list.kind == ListKind::kGenerator ? list.consumed : 0;
  bool found = false;
  while (i < list.items.size() && !found) {
    FM_ASSIGN_OR_RETURN(found, Equal(budget, list.items[i++], item));
  }
  if (list.kind == ListKind::kGenerator) list.consumed = i;
  return found;
}

uint64_t Mix(uint64_t seed, uint64_t value) {
  return (seed ^ value) * 0x9E3779B97F4A7C15u + (seed >> 29);
}

}  // namespace

Result<bool> Equal(Budget& budget, const Value& a, const Value& b) {
  FM_RETURN_IF_ERROR(budget.Work(1));
  if (a.IsNumber() && b.IsNumber()) return OrderNumbers(a, b) == std::partial_ordering::equivalent;
  if (a.IsText() && b.IsText()) {
    FM_RETURN_IF_ERROR(budget.Work(a.str().size() == b.str().size() ? a.str().size() / 64 : 0));
    return a.str() == b.str();
  }
  if (a.IsList() && b.IsList()) return EqualLists(budget, *a.list(), *b.list());
  if (a.IsDict() && b.IsDict()) return EqualDicts(budget, *a.dict(), *b.dict());
  if (a.IsObject() && b.IsObject()) return a.object() == b.object();
  return (a.IsNone() && b.IsNone()) || (a.IsUndefined() && b.IsUndefined());
}

Result<std::partial_ordering> Order(Budget& budget, const Value& a, const Value& b,
                                    std::string_view op) {
  FM_RETURN_IF_ERROR(budget.Work(1));
  if (a.IsNumber() && b.IsNumber()) return OrderNumbers(a, b);
  if (a.IsText() && b.IsText()) {
    FM_RETURN_IF_ERROR(budget.Work(std::min(a.str().size(), b.str().size()) / 64));
    return a.str() <=> b.str();  // the order of UTF-8 bytes is that of code points
  }
  for (const Value* side : {&a, &b}) {
    if (side->IsUndefined()) {
      return InvalidInput(side->reason() ? side->reason()->bytes : "value is undefined");
    }
  }
  if (a.IsList() && b.IsList()) {
    const bool lists = a.list()->kind == ListKind::kList && b.list()->kind == ListKind::kList;
    if (lists || (a.list()->is_tuple() && b.list()->is_tuple())) {
      return OrderLists(budget, *a.list(), *b.list(), op);
    }
  }
  return InvalidInput(fmt::format("'{}' not supported between instances of '{}' and '{}'", op,
                                  a.TypeName(), b.TypeName()));
}

Result<bool> Contains(Budget& budget, const Value& container, const Value& item) {
  if (container.IsUndefined()) return false;
  if (container.IsText()) {
    if (!item.IsText()) {
      return InvalidInput(
          fmt::format("'in <string>' requires string as left operand, not {}", item.TypeName()));
    }
    FM_RETURN_IF_ERROR(budget.Work(1 + container.str().size() / 64));
    return FindBytes(container.str(), item.str()) != std::string_view::npos;
  }
  if (container.IsDict()) {
    FM_ASSIGN_OR_RETURN(const std::optional<size_t> found,
                        FindEntry(budget, *container.dict(), item));
    return found.has_value();
  }
  if (container.IsList()) return ContainsItem(budget, *container.list(), item);
  return InvalidInput(fmt::format("argument of type '{}' is not iterable", container.TypeName()));
}

uint64_t HashText(std::string_view text) { return std::hash<std::string_view>()(text); }

Result<uint64_t> Hash(Budget& budget, const Value& value) {
  FM_RETURN_IF_ERROR(budget.Work(1));
  if (value.IsText()) {
    FM_RETURN_IF_ERROR(budget.Work(value.str().size() / 64));
    return HashText(value.str());
  }
  // Equal ints and floats must hash alike; large ones may share a hash.
  if (const auto number = value.AsDouble()) return std::hash<double>()(*number + 0.0);
  if (value.IsNone() || value.IsUndefined()) return 1;
  if (value.IsObject()) return std::hash<const void*>()(value.object().get());
  if (value.IsList() && (value.list()->is_tuple() || value.list()->kind == ListKind::kRange)) {
    uint64_t hash = 7;
    for (const Value& item : value.list()->items) {
      FM_ASSIGN_OR_RETURN(const uint64_t item_hash, Hash(budget, item));
      hash = Mix(hash, item_hash);
    }
    return hash;
  }
  return InvalidInput(fmt::format("unhashable type: '{}'", value.TypeName()));
}

Result<std::optional<size_t>> FindEntry(Budget& budget, const Dict& dict, const Value& key) {
  FM_ASSIGN_OR_RETURN(const uint64_t hash, Hash(budget, key));
  const auto [begin, end] = dict.index.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    FM_ASSIGN_OR_RETURN(const bool equal, Equal(budget, dict.entries[it->second].first, key));
    if (equal) return it->second;
  }
  return std::nullopt;
}

bool Same(const Value& a, const Value& b) {
  if (a.IsNone() || b.IsNone()) return a.IsNone() && b.IsNone();
  if (a.IsUndefined() || b.IsUndefined()) {
    return a.IsUndefined() && b.IsUndefined() && a.reason() == b.reason();
  }
  if (a.IsBool() || b.IsBool()) return a.IsBool() && b.IsBool() && a.bool_value() == b.bool_value();
  if (a.IsInt() && b.IsInt()) return a.AsInt() == b.AsInt();
  if (a.IsText() && b.IsText()) return a.text() == b.text() || a.str() == b.str();
  if (a.IsList() && b.IsList()) return a.list() == b.list();
  if (a.IsDict() && b.IsDict()) return a.dict() == b.dict();
  if (a.IsObject() && b.IsObject()) return a.object() == b.object();
  return false;
}

}  // namespace flashmoe::jinja
