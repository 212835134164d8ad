// Jinja2's built-in tests, the right side of `is`.
#include <fmt/format.h>

#include <cmath>

#include "text/jinja/builtins.h"
#include "text/jinja/compare.h"
#include "text/jinja/iterate.h"
#include "text/jinja/operators.h"
#include "text/jinja/text_methods.h"

namespace flashmoe::jinja {
namespace {

bool IsDefined(const Value& value) { return !value.IsUndefined(); }
bool IsUndefined(const Value& value) { return value.IsUndefined(); }
bool IsNone(const Value& value) { return value.IsNone(); }
bool IsString(const Value& value) { return value.IsText(); }
bool IsMapping(const Value& value) { return value.IsDict(); }
bool IsNumber(const Value& value) { return value.IsNumber(); }
bool IsInteger(const Value& value) { return value.IsInt(); }
bool IsFloat(const Value& value) { return value.IsFloat(); }
bool IsBoolean(const Value& value) { return value.IsBool(); }
bool IsTrue(const Value& value) { return value.IsBool() && value.bool_value(); }
bool IsFalse(const Value& value) { return value.IsBool() && !value.bool_value(); }
bool IsEscaped(const Value& value) { return value.IsText() && value.text()->markup; }

// Python's class of undefined values has all the special methods, so it passes.
bool IsCallable(const Value& value) {
  return value.IsUndefined() || (value.IsObject() && value.object()->Callable());
}

// Has a length and items.
bool IsSequence(const Value& value) {
  if (value.IsUndefined() || value.IsText() || value.IsDict()) return true;
  if (!value.IsList()) return false;
  const ListKind kind = value.list()->kind;
  return kind == ListKind::kList || kind == ListKind::kRange || value.list()->is_tuple();
}

template <bool (*kPredicate)(const Value&)>
Result<bool> Is(Budget&, const Value& value, const Args& args) {
  FM_RETURN_IF_ERROR(Bound::Bind("a test", args, {}));
  return kPredicate(value);
}

template <bool (*kPredicate)(std::string_view)>
Result<bool> IsCase(Budget& budget, const Value& value, const Args& args) {
  FM_RETURN_IF_ERROR(Bound::Bind("a test", args, {}));
  FM_ASSIGN_OR_RETURN(const TextPtr text, ToText(budget, value));
  FM_RETURN_IF_ERROR(budget.Work(1 + text->bytes.size() / 16));
  return kPredicate(text->bytes);
}

Result<bool> RemainderIs(Budget& budget, const Value& value, const Value& divisor,
                         int64_t remainder) {
  FM_ASSIGN_OR_RETURN(const Value rest, Apply(budget, BinaryOp::kModulo, value, divisor));
  return Equal(budget, rest, Value::Int(remainder));
}

Result<bool> IsOdd(Budget& budget, const Value& value, const Args& args) {
  FM_RETURN_IF_ERROR(Bound::Bind("odd", args, {}));
  return RemainderIs(budget, value, Value::Int(2), 1);
}

Result<bool> IsEven(Budget& budget, const Value& value, const Args& args) {
  FM_RETURN_IF_ERROR(Bound::Bind("even", args, {}));
  return RemainderIs(budget, value, Value::Int(2), 0);
}

Result<bool> IsDivisible(Budget& budget, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("divisibleby", args, {"num"}, 1));
  return RemainderIs(budget, value, bound[0], 0);
}

template <bool kEqual>
Result<bool> IsEqual(Budget& budget, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("eq", args, {"other"}, 1));
  FM_ASSIGN_OR_RETURN(const bool equal, Equal(budget, value, bound[0]));
  return equal == kEqual;
}

template <bool kLess, bool kOrEqual>
Result<bool> IsOrdered(Budget& budget, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("a comparison", args, {"other"}, 1));
  FM_ASSIGN_OR_RETURN(const auto order, Order(budget, value, bound[0], kLess ? "<" : ">"));
  const bool strictly =
      kLess ? order == std::partial_ordering::less : order == std::partial_ordering::greater;
  return strictly || (kOrEqual && order == std::partial_ordering::equivalent);
}

Result<bool> IsSame(Budget&, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("sameas", args, {"other"}, 1));
  return Same(value, bound[0]);
}

Result<bool> IsIn(Budget& budget, const Value& value, const Args& args) {
  FM_ASSIGN_OR_RETURN(const Bound bound, Bound::Bind("in", args, {"seq"}, 1));
  return Contains(budget, bound[0], value);
}

Result<bool> IsFilter(Budget&, const Value& value, const Args& args) {
  FM_RETURN_IF_ERROR(Bound::Bind("filter", args, {}));
  return value.IsText() && FindFilter(value.str()) != nullptr;
}

Result<bool> IsTest(Budget&, const Value& value, const Args& args) {
  FM_RETURN_IF_ERROR(Bound::Bind("test", args, {}));
  return value.IsText() && FindTest(value.str()) != nullptr;
}

struct Entry {
  std::string_view name;
  Test test;
};

constexpr Entry kTests[] = {
    {"!=", IsEqual<false>},
    {"<", IsOrdered<true, false>},
    {"<=", IsOrdered<true, true>},
    {"==", IsEqual<true>},
    {">", IsOrdered<false, false>},
    {">=", IsOrdered<false, true>},
    {"boolean", Is<IsBoolean>},
    {"callable", Is<IsCallable>},
    {"defined", Is<IsDefined>},
    {"divisibleby", IsDivisible},
    {"eq", IsEqual<true>},
    {"equalto", IsEqual<true>},
    {"escaped", Is<IsEscaped>},
    {"even", IsEven},
    {"false", Is<IsFalse>},
    {"filter", IsFilter},
    {"float", Is<IsFloat>},
    {"ge", IsOrdered<false, true>},
    {"greaterthan", IsOrdered<false, false>},
    {"gt", IsOrdered<false, false>},
    {"in", IsIn},
    {"integer", Is<IsInteger>},
    {"iterable", Is<IsIterable>},
    {"le", IsOrdered<true, true>},
    {"lessthan", IsOrdered<true, false>},
    {"lower", IsCase<IsLowerText>},
    {"lt", IsOrdered<true, false>},
    {"mapping", Is<IsMapping>},
    {"ne", IsEqual<false>},
    {"none", Is<IsNone>},
    {"number", Is<IsNumber>},
    {"odd", IsOdd},
    {"sameas", IsSame},
    {"sequence", Is<IsSequence>},
    {"string", Is<IsString>},
    {"test", IsTest},
    {"true", Is<IsTrue>},
    {"undefined", Is<IsUndefined>},
    {"upper", IsCase<IsUpperText>},
};

}  // namespace

Test FindTest(std::string_view name) {
  for (const Entry& entry : kTests) {
    if (entry.name == name) return entry.test;
  }
  return nullptr;
}

}  // namespace flashmoe::jinja
