// Expressions.
#include <fmt/format.h>

#include "text/jinja/access.h"
#include "text/jinja/compare.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/iterate.h"
#include "text/jinja/lexer.h"
#include "text/jinja/operators.h"
#include "text/jinja/repr.h"

namespace flashmoe::jinja {
namespace {

// What * and ** may add to a call.
constexpr size_t kMaxSpread = 10'000;

}  // namespace

Result<Value> Interpreter::Evaluate(const Expr& expr, const ScopePtr& scope) {
  FM_RETURN_IF_ERROR(budget_.Work(1));
  FM_ASSIGN_OR_RETURN(const Depth depth, Depth::Enter(budget_));
  auto value = std::visit([&](const auto& node) { return Get(node, scope); }, expr.node);
  if (!value.has_value() && value.error().where.empty()) value.error().where = Where(expr.line);
  return value;
}

Result<Value> Interpreter::Get(const Literal& node, const ScopePtr&) { return node.value; }

Result<Value> Interpreter::Get(const Name& node, const ScopePtr& scope) {
  for (const Scope* at = scope.get(); at != nullptr; at = at->parent.get()) {
    const auto found = at->variables.find(node.name);
    if (found != at->variables.end()) return found->second;
  }
  if (const Value* found = context_.Find(node.name)) return *found;
  if (node.name == "namespace") return NamespaceFunction();
  if (std::optional<Value> global = FindGlobal(node.name)) return *global;
  return MakeUndefined(budget_, fmt::format("'{}' is undefined", node.name.substr(0, 100)));
}

Result<Value> Interpreter::Get(const ListLiteral& node, const ScopePtr& scope) {
  ListBuilder out(budget_, node.is_tuple ? ListKind::kTuple : ListKind::kList);
  for (const ExprPtr& item : node.items) {
    FM_ASSIGN_OR_RETURN(Value value, Evaluate(*item, scope));
    FM_RETURN_IF_ERROR(out.Push(std::move(value)));
  }
  return std::move(out).Finish();
}

Result<Value> Interpreter::Get(const DictLiteral& node, const ScopePtr& scope) {
  DictBuilder out(budget_);
  for (const auto& [key_expr, value_expr] : node.entries) {
    FM_ASSIGN_OR_RETURN(const Value key, Evaluate(*key_expr, scope));
    FM_ASSIGN_OR_RETURN(Value value, Evaluate(*value_expr, scope));
    FM_RETURN_IF_ERROR(out.Put(key, std::move(value)));
  }
  return std::move(out).Finish();
}

Result<Value> Interpreter::Get(const Unary& node, const ScopePtr& scope) {
  FM_ASSIGN_OR_RETURN(const Value operand, Evaluate(*node.operand, scope));
  switch (node.op) {
    case UnaryOp::kNegate:
      return Negate(operand);
    case UnaryOp::kPlus:
      return Plus(operand);
    case UnaryOp::kNot:
      break;
  }
  return Value::Bool(!operand.Truthy());
}

Result<Value> Interpreter::Get(const Binary& node, const ScopePtr& scope) {
  FM_ASSIGN_OR_RETURN(const Value left, Evaluate(*node.left, scope));
  FM_ASSIGN_OR_RETURN(const Value right, Evaluate(*node.right, scope));
  return Apply(budget_, node.op, left, right);
}

Result<Value> Interpreter::Get(const Logical& node, const ScopePtr& scope) {
  FM_ASSIGN_OR_RETURN(Value left, Evaluate(*node.left, scope));
  if (left.Truthy() != node.is_and) return left;
  return Evaluate(*node.right, scope);
}

Result<Value> Interpreter::Get(const Concat& node, const ScopePtr& scope) {
  TextBuilder out(budget_);
  for (const ExprPtr& part : node.parts) {
    FM_ASSIGN_OR_RETURN(const Value value, Evaluate(*part, scope));
    FM_RETURN_IF_ERROR(AppendStr(out, value));
  }
  return std::move(out).Finish();
}

Result<bool> Interpreter::Holds(CompareOp op, const Value& a, const Value& b) {
  switch (op) {
    case CompareOp::kEqual:
      return Equal(budget_, a, b);
    case CompareOp::kNotEqual: {
      FM_ASSIGN_OR_RETURN(const bool equal, Equal(budget_, a, b));
      return !equal;
    }
    case CompareOp::kIn:
      return Contains(budget_, b, a);
    case CompareOp::kNotIn: {
      FM_ASSIGN_OR_RETURN(const bool contained, Contains(budget_, b, a));
      return !contained;
    }
    default:
      return HoldsInOrder(op, a, b);
  }
}

Result<bool> Interpreter::HoldsInOrder(CompareOp op, const Value& a, const Value& b) {
  const bool less = op == CompareOp::kLess || op == CompareOp::kLessEqual;
  const bool or_equal = op == CompareOp::kLessEqual || op == CompareOp::kGreaterEqual;
  const std::string_view symbol = less ? (or_equal ? "<=" : "<") : (or_equal ? ">=" : ">");
  FM_ASSIGN_OR_RETURN(const std::partial_ordering order, Order(budget_, a, b, symbol));
  return (less ? order < 0 : order > 0) || (or_equal && order == 0);
}

Result<Value> Interpreter::Get(const Compare& node, const ScopePtr& scope) {
  FM_ASSIGN_OR_RETURN(Value left, Evaluate(*node.first, scope));
  for (const auto& [op, expr] : node.rest) {
    FM_ASSIGN_OR_RETURN(Value right, Evaluate(*expr, scope));
    FM_ASSIGN_OR_RETURN(const bool holds, Holds(op, left, right));
    if (!holds) return Value::Bool(false);
    left = std::move(right);
  }
  return Value::Bool(true);
}

Result<Value> Interpreter::Get(const Conditional& node, const ScopePtr& scope) {
  FM_ASSIGN_OR_RETURN(const Value condition, Evaluate(*node.condition, scope));
  if (condition.Truthy()) return Evaluate(*node.then, scope);
  if (node.otherwise != nullptr) return Evaluate(*node.otherwise, scope);
  return MakeUndefined(budget_,
                       "the inline if-expression evaluated to false and no else section was "
                       "defined.");
}

Result<Value> Interpreter::Get(const Attribute& node, const ScopePtr& scope) {
  FM_ASSIGN_OR_RETURN(const Value object, Evaluate(*node.object, scope));
  return GetAttribute(budget_, object, node.name);
}

Result<Value> Interpreter::Get(const Item& node, const ScopePtr& scope) {
  FM_ASSIGN_OR_RETURN(const Value object, Evaluate(*node.object, scope));
  FM_ASSIGN_OR_RETURN(const Value key, Evaluate(*node.key, scope));
  return GetItem(budget_, object, key);
}

Result<Value> Interpreter::GetOptional(const ExprPtr& expr, const ScopePtr& scope) {
  return expr == nullptr ? Value::None() : Evaluate(*expr, scope);
}

Result<Value> Interpreter::Get(const Slice& node, const ScopePtr& scope) {
  FM_ASSIGN_OR_RETURN(const Value object, Evaluate(*node.object, scope));
  FM_ASSIGN_OR_RETURN(const Value start, GetOptional(node.start, scope));
  FM_ASSIGN_OR_RETURN(const Value stop, GetOptional(node.stop, scope));
  FM_ASSIGN_OR_RETURN(const Value step, GetOptional(node.step, scope));
  return GetSlice(budget_, object, start, stop, step);
}

Result<Args> Interpreter::GetArgs(const CallArgs& args, const ScopePtr& scope) {
  Args values;
  for (const ExprPtr& expr : args.positional) {
    FM_ASSIGN_OR_RETURN(Value value, Evaluate(*expr, scope));
    values.positional.push_back(std::move(value));
  }
  for (const auto& [name, expr] : args.named) {
    FM_ASSIGN_OR_RETURN(Value value, Evaluate(*expr, scope));
    values.named.emplace_back(name, std::move(value));
  }
  if (args.spread != nullptr) {
    FM_ASSIGN_OR_RETURN(const Value spread, Evaluate(*args.spread, scope));
    FM_ASSIGN_OR_RETURN(const std::vector<Value> items, Collect(budget_, spread));
    if (items.size() > kMaxSpread) return InvalidInput("too many arguments in a call");
    values.positional.insert(values.positional.end(), items.begin(), items.end());
  }
  if (args.spread_named != nullptr) {
    FM_ASSIGN_OR_RETURN(const Value spread, Evaluate(*args.spread_named, scope));
    if (!spread.IsDict()) return InvalidInput("argument after ** must be a mapping");
    if (spread.dict()->entries.size() > kMaxSpread) {
      return InvalidInput("too many arguments in a call");
    }
    for (const auto& [key, value] : spread.dict()->entries) {
      if (!key.IsText()) return InvalidInput("keywords must be strings");
      FM_RETURN_IF_ERROR(budget_.Work(1 + key.str().size() / 64));
      values.named.emplace_back(key.str(), value);
    }
  }
  return values;
}

Result<Value> Interpreter::Get(const Call& node, const ScopePtr& scope) {
  FM_ASSIGN_OR_RETURN(Args args, GetArgs(node.args, scope));
  return CallWith(node, scope, std::move(args));
}

Result<Value> Interpreter::CallWith(const Call& node, const ScopePtr& scope, Args args) {
  // A method is called without making a value of it first.
  if (const auto* attribute = std::get_if<Attribute>(&node.callee->node)) {
    FM_ASSIGN_OR_RETURN(const Value self, Evaluate(*attribute->object, scope));
    if (const Method method = FindMethod(self, attribute->name)) {
      return method(budget_, self, args);
    }
    FM_ASSIGN_OR_RETURN(const Value callee, GetAttribute(budget_, self, attribute->name));
    return CallValue(callee, args);
  }
  FM_ASSIGN_OR_RETURN(const Value callee, Evaluate(*node.callee, scope));
  return CallValue(callee, args);
}

Result<Value> Interpreter::CallFilter(const FilterCall& node, const Value& value,
                                      const ScopePtr& scope) {
  const Filter filter = FindFilter(node.name);
  if (filter == nullptr) {
    return InvalidInput(fmt::format("No filter named '{}'.", node.name.substr(0, 100)));
  }
  FM_ASSIGN_OR_RETURN(const Args args, GetArgs(node.args, scope));
  return filter(budget_, value, args);
}

Result<Value> Interpreter::Get(const FilterCall& node, const ScopePtr& scope) {
  if (node.value == nullptr) return CallFilter(node, *filtered_, scope);
  FM_ASSIGN_OR_RETURN(const Value value, Evaluate(*node.value, scope));
  return CallFilter(node, value, scope);
}

Result<Value> Interpreter::ApplyFilters(const Expr& chain, const Value& text,
                                        const ScopePtr& scope) {
  // The chain ends in a filter without a value of its own; its arguments may hold other chains.
  const Value* outer = std::exchange(filtered_, &text);
  auto value = Evaluate(chain, scope);
  filtered_ = outer;
  return value;
}

Result<Value> Interpreter::Get(const TestCall& node, const ScopePtr& scope) {
  FM_ASSIGN_OR_RETURN(const Value value, Evaluate(*node.value, scope));
  const Test test = FindTest(node.name);
  if (test == nullptr) {
    return InvalidInput(fmt::format("No test named '{}'.", node.name.substr(0, 100)));
  }
  FM_ASSIGN_OR_RETURN(const Args args, GetArgs(node.args, scope));
  FM_ASSIGN_OR_RETURN(const bool passed, test(budget_, value, args));
  return Value::Bool(passed);
}

}  // namespace flashmoe::jinja
