// Filters that apply other filters and tests to each item: map, select, reject and their kin.
#include <fmt/format.h>

#include "text/jinja/access.h"
#include "text/jinja/builtins.h"
#include "text/jinja/iterate.h"

namespace flashmoe::jinja {
namespace {

// The arguments behind the first `count` positional ones.
Args Rest(const Args& args, size_t count) {
  Args rest;
  rest.positional.assign(args.positional.begin() + static_cast<ptrdiff_t>(count),
                         args.positional.end());
  rest.named = args.named;
  return rest;
}

// A test and its arguments, which begin at positional argument `at`; truth if none is named.
struct Predicate {
  Test test = nullptr;
  Args args;

  static Result<Predicate> From(const Args& args, size_t at) {
    Predicate predicate;
    if (args.positional.size() <= at) return predicate;
    const Value& name = args.positional[at];
    if (name.IsText()) predicate.test = FindTest(name.str());
    if (predicate.test == nullptr) {
      return InvalidInput(fmt::format("No test named {}.", name.IsText() ? name.str() : "so"));
    }
    predicate.args = Rest(args, at + 1);
    return predicate;
  }

  Result<bool> Holds(Budget& budget, const Value& value) const {
    return test == nullptr ? Result<bool>(value.Truthy()) : test(budget, value, args);
  }
};

template <bool kKeep, bool kByAttribute>
Result<Value> Select(Budget& budget, const Value& value, const Args& args) {
  if (kByAttribute && args.positional.empty()) {
    return InvalidInput("Missing parameter for attribute name");
  }
  FM_ASSIGN_OR_RETURN(const Predicate predicate, Predicate::From(args, kByAttribute ? 1 : 0));
  ListBuilder out(budget, ListKind::kGenerator);
  if (!value.Truthy()) return std::move(out).Finish();
  FM_ASSIGN_OR_RETURN(Iterator items, Iterator::Over(budget, value));
  while (true) {
    FM_ASSIGN_OR_RETURN(const std::optional<Value> item, items.Next());
    if (!item) return std::move(out).Finish();
    Value tested = *item;
    if (kByAttribute) {
      FM_ASSIGN_OR_RETURN(tested, GetPath(budget, *item, args.positional[0]));
    }
    FM_ASSIGN_OR_RETURN(const bool holds, predicate.Holds(budget, tested));
    if (holds == kKeep) FM_RETURN_IF_ERROR(out.Push(*item));
  }
}

// How `map` turns one item into another: by an attribute or a filter.
struct Mapping {
  std::optional<Value> attribute;
  std::optional<Value> fallback;
  Filter filter = nullptr;
  Args args;

  static Result<Mapping> From(const Args& args) {
    Mapping mapping;
    if (args.positional.empty()) return ByAttribute(args);
    const Value& name = args.positional[0];
    if (name.IsText()) mapping.filter = FindFilter(name.str());
    if (mapping.filter == nullptr) {
      return InvalidInput(fmt::format("No filter named {}.", name.IsText() ? name.str() : "so"));
    }
    mapping.args = Rest(args, 1);
    return mapping;
  }

  static Result<Mapping> ByAttribute(const Args& args) {
    Mapping mapping;
    for (const auto& [name, value] : args.named) {
      if (name == "attribute") {
        mapping.attribute = value;
      } else if (name == "default") {
        mapping.fallback = value;
      } else {
        return InvalidInput(fmt::format("Unexpected keyword argument '{}'", name));
      }
    }
    if (!mapping.attribute) return InvalidInput("map requires a filter argument");
    return mapping;
  }

  Result<Value> Apply(Budget& budget, const Value& item) const {
    if (!attribute) {
      FM_ASSIGN_OR_RETURN(const Depth depth, Depth::Enter(budget));  // map('map', 'map', ...)
      return filter(budget, item, args);
    }
    FM_ASSIGN_OR_RETURN(Value value, GetPath(budget, item, *attribute));
    return value.IsUndefined() && fallback ? *fallback : std::move(value);
  }
};

Result<Value> Map(Budget& budget, const Value& value, const Args& args) {
  ListBuilder out(budget, ListKind::kGenerator);
  if (!value.Truthy()) return std::move(out).Finish();
  FM_ASSIGN_OR_RETURN(const Mapping mapping, Mapping::From(args));
  FM_ASSIGN_OR_RETURN(Iterator items, Iterator::Over(budget, value));
  while (true) {
    FM_ASSIGN_OR_RETURN(const std::optional<Value> item, items.Next());
    if (!item) return std::move(out).Finish();
    FM_ASSIGN_OR_RETURN(Value mapped, mapping.Apply(budget, *item));
    FM_RETURN_IF_ERROR(out.Push(std::move(mapped)));
  }
}

}  // namespace

Filter FindSelectFilter(std::string_view name) {
  if (name == "map") return Map;
  if (name == "select") return Select<true, false>;
  if (name == "reject") return Select<false, false>;
  if (name == "selectattr") return Select<true, true>;
  if (name == "rejectattr") return Select<false, true>;
  return nullptr;
}

}  // namespace flashmoe::jinja
