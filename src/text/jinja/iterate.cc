#include "text/jinja/iterate.h"

#include <fmt/format.h>

#include "text/jinja/characters.h"

namespace flashmoe::jinja {

bool IsIterable(const Value& value) {
  return value.IsUndefined() || value.IsText() || value.IsList() || value.IsDict();
}

std::optional<int64_t> Length(const Value& value) {
  if (value.IsUndefined()) return 0;
  if (value.IsText()) return value.text()->points;
  if (value.IsDict()) return static_cast<int64_t>(value.dict()->entries.size());
  if (value.IsList() && value.list()->kind != ListKind::kGenerator) {
    return static_cast<int64_t>(value.list()->items.size());
  }
  return std::nullopt;
}

Result<Iterator> Iterator::Over(Budget& budget, Value value) {
  if (!IsIterable(value)) {
    return InvalidInput(fmt::format("'{}' object is not iterable", value.TypeName()));
  }
  return Iterator(budget, std::move(value));
}

Result<std::optional<Value>> Iterator::Next() {
  FM_RETURN_IF_ERROR(budget_->Work(1));
  if (value_.IsText()) {
    const std::string_view text = value_.str();
    if (position_ >= text.size()) return std::nullopt;
    const size_t begin = position_;
    NextPoint(text, position_);
    return MakeText(*budget_, text.substr(begin, position_ - begin));
  }
  if (value_.IsList()) {
    List& list = *value_.list();
    size_t& position = list.kind == ListKind::kGenerator ? list.consumed : position_;
    if (position >= list.items.size()) return std::nullopt;
    return list.items[position++];
  }
  if (value_.IsDict()) {
    const auto& entries = value_.dict()->entries;
    if (position_ >= entries.size()) return std::nullopt;
    return entries[position_++].first;
  }
  return std::nullopt;
}

std::optional<int64_t> Iterator::Remaining() const {
  const auto length = Length(value_);
  if (!length || value_.IsText()) return std::nullopt;
  return *length - static_cast<int64_t>(position_);
}

Result<std::vector<Value>> Collect(Budget& budget, const Value& value) {
  FM_ASSIGN_OR_RETURN(Iterator iterator, Iterator::Over(budget, value));
  std::vector<Value> items;
  Charge charge(&budget);  // until the caller has put them into a list of their own
  while (true) {
    FM_ASSIGN_OR_RETURN(std::optional<Value> item, iterator.Next());
    if (!item) return items;
    FM_RETURN_IF_ERROR(charge.Grow(sizeof(Value)));
    items.push_back(std::move(*item));
  }
}

}  // namespace flashmoe::jinja
