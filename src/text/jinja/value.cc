#include "text/jinja/value.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/jinja/characters.h"
#include "text/jinja/compare.h"
#include "text/jinja/repr.h"
#include "text/utf8.h"

namespace flashmoe::jinja {
namespace {

// What a shared object costs beside its payload, roughly.
constexpr uint64_t kObjectBytes = 96;
constexpr uint64_t kEntryBytes = 2 * sizeof(Value) + 40;

Status TooDeep() { return InvalidInput(fmt::format("values nest more than {} deep", kMaxNesting)); }

std::string_view ListTypeName(ListKind kind) {
  switch (kind) {
    case ListKind::kList:
      return "list";
    case ListKind::kTuple:
    case ListKind::kGroup:
      return "tuple";
    case ListKind::kGenerator:
      return "generator";
    case ListKind::kRange:
      return "range";
    case ListKind::kKeys:
      return "dict_keys";
    case ListKind::kValues:
      return "dict_values";
    case ListKind::kItems:
      return "dict_items";
  }
  return "list";
}

Result<Value> FinishList(ListKind kind, std::vector<Value> items, Charge charge) {
  auto list = std::make_shared<List>();
  for (const Value& item : items) list->nesting = std::max(list->nesting, 1 + Nesting(item));
  if (list->nesting > kMaxNesting) return std::unexpected(TooDeep().error());
  list->kind = kind;
  list->items = std::move(items);
  list->charge = std::move(charge);
  return Value(std::move(list));
}

}  // namespace

std::string_view Value::str() const { return text()->bytes; }

std::optional<int64_t> Value::AsInt() const {
  if (IsInt()) return std::get<int64_t>(rep_);
  if (IsBool()) return bool_value() ? 1 : 0;
  return std::nullopt;
}

std::optional<double> Value::AsDouble() const {
  if (IsFloat()) return float_value();
  if (const auto i = AsInt()) return static_cast<double>(*i);
  return std::nullopt;
}

bool Value::Truthy() const {
  if (IsUndefined() || IsNone()) return false;
  if (const auto number = AsDouble()) return *number != 0;
  if (IsText()) return !text()->bytes.empty();
  if (IsList()) return list()->kind == ListKind::kGenerator || !list()->items.empty();
  if (IsDict()) return !dict()->entries.empty();
  return true;
}

std::string_view Value::TypeName() const {
  if (IsUndefined()) return "Undefined";
  if (IsNone()) return "NoneType";
  if (IsBool()) return "bool";
  if (IsInt()) return "int";
  if (IsFloat()) return "float";
  if (IsText()) return text()->markup ? "Markup" : "str";
  if (IsList()) return ListTypeName(list()->kind);
  if (IsDict()) return "dict";
  return object()->TypeName();
}

Result<Value> Object::Call(Budget&, const Args&) {
  return InvalidInput(fmt::format("'{}' object is not callable", TypeName()));
}

int Nesting(const Value& value) {
  if (value.IsList()) return value.list()->nesting;
  if (value.IsDict()) return value.dict()->nesting;
  return 0;
}

Result<TextPtr> MakeTextPtr(Budget& budget, std::string bytes, bool markup) {
  auto text = std::make_shared<Text>();
  text->charge = Charge(&budget);
  FM_RETURN_IF_ERROR(text->charge.Grow(kObjectBytes + bytes.size()));
  FM_RETURN_IF_ERROR(budget.Work(1 + bytes.size() / 64));
  text->points = CountPoints(bytes);
  text->bytes = std::move(bytes);
  text->markup = markup;
  return text;
}

Result<Value> MakeText(Budget& budget, std::string_view bytes, bool markup) {
  FM_ASSIGN_OR_RETURN(TextPtr text, MakeTextPtr(budget, std::string(bytes), markup));
  return Value(std::move(text));
}

Result<Value> MakeUndefined(Budget& budget, std::string_view reason) {
  FM_ASSIGN_OR_RETURN(TextPtr text, MakeTextPtr(budget, std::string(reason)));
  return Value::Undefined(std::move(text));
}

Result<Value> MakeList(Budget& budget, ListKind kind, std::vector<Value> items) {
  Charge charge(&budget);
  FM_RETURN_IF_ERROR(charge.Grow(kObjectBytes + items.size() * sizeof(Value)));
  FM_RETURN_IF_ERROR(budget.Work(1 + items.size() / 2));
  return FinishList(kind, std::move(items), std::move(charge));
}

Result<TextPtr> ToText(Budget& budget, const Value& value) {
  if (value.IsText()) return value.text();
  TextBuilder out(budget);
  FM_RETURN_IF_ERROR(AppendStr(out, value));
  return std::move(out).FinishPtr();
}

Status TextBuilder::Append(std::string_view bytes) {
  FM_RETURN_IF_ERROR(charge_.Grow(bytes.size()));
  FM_RETURN_IF_ERROR(budget_->Work(1 + bytes.size() / 64));
  bytes_.append(bytes);
  return {};
}

Status TextBuilder::Append(char c, uint64_t times) {
  FM_RETURN_IF_ERROR(charge_.Grow(times));
  FM_RETURN_IF_ERROR(budget_->Work(1 + times / 64));
  bytes_.append(times, c);
  return {};
}

Status TextBuilder::AppendPoint(char32_t point) {
  const size_t before = bytes_.size();
  AppendUtf8(point, bytes_);
  // One step for every 64 bytes, as they fill up.
  if (before / 64 != bytes_.size() / 64) FM_RETURN_IF_ERROR(budget_->Work(1));
  return charge_.Grow(bytes_.size() - before);
}

Result<TextPtr> TextBuilder::FinishPtr(bool markup) && {
  FM_RETURN_IF_ERROR(charge_.Grow(kObjectBytes));
  auto text = std::make_shared<Text>();
  text->points = CountPoints(bytes_);
  text->bytes = std::move(bytes_);
  text->markup = markup;
  text->charge = std::move(charge_);
  return text;
}

Result<Value> TextBuilder::Finish(bool markup) && {
  FM_ASSIGN_OR_RETURN(TextPtr text, std::move(*this).FinishPtr(markup));
  return Value(std::move(text));
}

Status ListBuilder::Push(Value value) {
  FM_RETURN_IF_ERROR(charge_.Grow(sizeof(Value)));
  FM_RETURN_IF_ERROR(budget_->Work(1));
  items_.push_back(std::move(value));
  return {};
}

Status ListBuilder::PushText(std::string_view text, bool markup) {
  FM_ASSIGN_OR_RETURN(Value value, MakeText(*budget_, text, markup));
  return Push(std::move(value));
}

Result<Value> ListBuilder::Finish() && {
  FM_RETURN_IF_ERROR(charge_.Grow(kObjectBytes));
  return FinishList(kind_, std::move(items_), std::move(charge_));
}

const Value* Dict::Find(std::string_view key) const {
  const auto [begin, end] = index.equal_range(HashText(key));
  for (auto it = begin; it != end; ++it) {
    const auto& [entry_key, value] = entries[it->second];
    if (entry_key.IsText() && entry_key.str() == key) return &value;
  }
  return nullptr;
}

Status PutEntry(Budget& budget, Dict& dict, const Value& key, Value value) {
  dict.nesting = std::max({dict.nesting, 1 + Nesting(key), 1 + Nesting(value)});
  if (dict.nesting > kMaxNesting) return TooDeep();
  FM_RETURN_IF_ERROR(budget.Work(1));
  FM_ASSIGN_OR_RETURN(const std::optional<size_t> present, FindEntry(budget, dict, key));
  if (present) {
    dict.entries[*present].second = std::move(value);
    return {};
  }
  FM_ASSIGN_OR_RETURN(const uint64_t hash, Hash(budget, key));
  FM_RETURN_IF_ERROR(dict.charge.Grow(kEntryBytes));
  dict.index.emplace(hash, dict.entries.size());
  dict.entries.emplace_back(key, std::move(value));
  return {};
}

DictBuilder::DictBuilder(Budget& budget) : budget_(&budget), dict_(std::make_shared<Dict>()) {
  dict_->charge = Charge(&budget);
}

Status DictBuilder::Put(const Value& key, Value value) {
  return PutEntry(*budget_, *dict_, key, std::move(value));
}

Status DictBuilder::Put(std::string_view key, Value value) {
  FM_ASSIGN_OR_RETURN(const Value text, MakeText(*budget_, key));
  return Put(text, std::move(value));
}

Result<Value> DictBuilder::Finish() && {
  FM_RETURN_IF_ERROR(dict_->charge.Grow(kObjectBytes));
  return Value(DictPtr(std::move(dict_)));
}

}  // namespace flashmoe::jinja
