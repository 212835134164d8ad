#include "text/jinja/interpreter.h"

#include <fmt/format.h>

#include "text/jinja/iterate.h"
#include "text/jinja/lexer.h"
#include "text/jinja/loop.h"
#include "text/jinja/repr.h"

namespace flashmoe::jinja {

Interpreter::~Interpreter() {
  // Every object that could be part of a cycle is held here, so nothing is destroyed recursively.
  for (const ScopePtr& scope : captured_) scope->variables.clear();
  for (const auto& made : namespaces_) made->Clear();
}

Result<std::string> Interpreter::Run(const Body& body) {
  TextBuilder out(budget_);
  const auto root = std::make_shared<Scope>(nullptr);
  FM_RETURN_IF_ERROR(Execute(body, root, out));
  return std::move(out).Release();
}

Result<Interpreter::Flow> Interpreter::Execute(const Body& body, const ScopePtr& scope,
                                               TextBuilder& out) {
  for (const Stmt& statement : body) {
    FM_ASSIGN_OR_RETURN(const Flow flow, Execute(statement, scope, out));
    if (flow != Flow::kNormal) return flow;
  }
  return Flow::kNormal;
}

Result<Interpreter::Flow> Interpreter::Execute(const Stmt& statement, const ScopePtr& scope,
                                               TextBuilder& out) {
  FM_RETURN_IF_ERROR(budget_.Work(1));
  FM_ASSIGN_OR_RETURN(const Depth depth, Depth::Enter(budget_));
  auto flow = std::visit([&](const auto& node) { return Do(node, scope, out, statement.line); },
                         statement.node);
  if (!flow.has_value() && flow.error().where.empty()) flow.error().where = Where(statement.line);
  return flow;
}

Status Interpreter::Emit(TextBuilder& out, const Value& value) {
  FM_RETURN_IF_ERROR(AppendStr(out, value));
  if (out.size() > limits_.output_bytes) {
    return Fail(ErrorCode::kOutOfMemory,
                fmt::format("the template's output exceeds {} bytes", limits_.output_bytes));
  }
  return {};
}

Result<Interpreter::Flow> Interpreter::Do(const Data& node, const ScopePtr&, TextBuilder& out,
                                          int) {
  FM_RETURN_IF_ERROR(out.Append(node.text));
  FM_RETURN_IF_ERROR(Emit(out, Value()));
  return Flow::kNormal;
}

Result<Interpreter::Flow> Interpreter::Do(const Output& node, const ScopePtr& scope,
                                          TextBuilder& out, int) {
  FM_ASSIGN_OR_RETURN(const Value value, Evaluate(*node.expr, scope));
  FM_RETURN_IF_ERROR(Emit(out, value));
  return Flow::kNormal;
}

Result<Interpreter::Flow> Interpreter::Do(const If& node, const ScopePtr& scope, TextBuilder& out,
                                          int) {
  for (const auto& [condition, body] : node.branches) {
    FM_ASSIGN_OR_RETURN(const Value value, Evaluate(*condition, scope));
    if (value.Truthy()) return Execute(body, scope, out);
  }
  return Execute(node.otherwise, scope, out);
}

Result<Interpreter::Flow> Interpreter::Do(const For& node, const ScopePtr& scope, TextBuilder& out,
                                          int line) {
  FM_ASSIGN_OR_RETURN(Value iterable, Evaluate(*node.iterable, scope));
  FM_ASSIGN_OR_RETURN(LoopItems items,
                      LoopItems::Over(*this, node, line, scope, std::move(iterable)));
  const auto loop = std::make_shared<LoopObject>(items);
  items.Attach(loop);
  // As in the reference, `else` runs unless one pass came to its end.
  bool run_else = true;
  Flow flow = Flow::kNormal;
  while (flow != Flow::kBreak) {
    FM_ASSIGN_OR_RETURN(const bool more, items.Advance());
    if (!more) break;
    const auto inner = std::make_shared<Scope>(scope);
    inner->variables["loop"] = Value(ObjectPtr(loop));
    FM_RETURN_IF_ERROR(Assign(node.target, items.current(), inner, line));
    FM_ASSIGN_OR_RETURN(flow, Execute(node.body, inner, out));
    if (flow == Flow::kNormal) run_else = false;
  }
  if (!run_else) return Flow::kNormal;
  return Execute(node.otherwise, std::make_shared<Scope>(scope), out);
}

Result<Interpreter::Flow> Interpreter::Do(const Set& node, const ScopePtr& scope, TextBuilder&,
                                          int line) {
  FM_ASSIGN_OR_RETURN(Value value, Evaluate(*node.value, scope));
  FM_RETURN_IF_ERROR(Assign(node.target, std::move(value), scope, line));
  return Flow::kNormal;
}

Result<Interpreter::Flow> Interpreter::Do(const SetBlock& node, const ScopePtr& scope, TextBuilder&,
                                          int line) {
  TextBuilder body(budget_);
  FM_ASSIGN_OR_RETURN(const Flow flow, Execute(node.body, std::make_shared<Scope>(scope), body));
  if (flow != Flow::kNormal) return flow;
  FM_ASSIGN_OR_RETURN(Value text, std::move(body).Finish());
  if (node.filter != nullptr) {
    FM_ASSIGN_OR_RETURN(text, ApplyFilters(*node.filter, text, scope));
  }
  FM_RETURN_IF_ERROR(Assign(node.target, std::move(text), scope, line));
  return Flow::kNormal;
}

Result<Interpreter::Flow> Interpreter::Do(const MacroDef& node, const ScopePtr& scope, TextBuilder&,
                                          int) {
  FM_ASSIGN_OR_RETURN(Value macro, MakeMacro(node.spec, scope));
  scope->variables[node.spec->name] = std::move(macro);
  return Flow::kNormal;
}

Result<Interpreter::Flow> Interpreter::Do(const CallBlock& node, const ScopePtr& scope,
                                          TextBuilder& out, int) {
  const Call& call = std::get<Call>(node.call->node);
  FM_ASSIGN_OR_RETURN(Args args, GetArgs(call.args, scope));
  FM_ASSIGN_OR_RETURN(Value caller, MakeMacro(node.caller, scope));
  args.named.emplace_back("caller", std::move(caller));
  FM_ASSIGN_OR_RETURN(const Value value, CallWith(call, scope, std::move(args)));
  FM_RETURN_IF_ERROR(Emit(out, value));
  return Flow::kNormal;
}

Result<Interpreter::Flow> Interpreter::Do(const FilterBlock& node, const ScopePtr& scope,
                                          TextBuilder& out, int) {
  TextBuilder body(budget_);
  FM_ASSIGN_OR_RETURN(const Flow flow, Execute(node.body, std::make_shared<Scope>(scope), body));
  if (flow != Flow::kNormal) return flow;
  FM_ASSIGN_OR_RETURN(const Value text, std::move(body).Finish());
  FM_ASSIGN_OR_RETURN(const Value filtered, ApplyFilters(*node.filter, text, scope));
  FM_RETURN_IF_ERROR(Emit(out, filtered));
  return Flow::kNormal;
}

Result<Interpreter::Flow> Interpreter::Do(const With& node, const ScopePtr& scope, TextBuilder& out,
                                          int line) {
  const auto inner = std::make_shared<Scope>(scope);
  for (const auto& [target, expr] : node.bindings) {
    FM_ASSIGN_OR_RETURN(Value value, Evaluate(*expr, scope));
    FM_RETURN_IF_ERROR(Assign(target, std::move(value), inner, line));
  }
  return Execute(node.body, inner, out);
}

Result<Interpreter::Flow> Interpreter::Do(const Break&, const ScopePtr&, TextBuilder&, int) {
  return Flow::kBreak;
}

Result<Interpreter::Flow> Interpreter::Do(const Continue&, const ScopePtr&, TextBuilder&, int) {
  return Flow::kContinue;
}

Status Interpreter::Assign(const Target& target, Value value, const ScopePtr& scope, int line) {
  if (target.is_tuple) {
    FM_ASSIGN_OR_RETURN(std::vector<Value> parts, Collect(budget_, value));
    if (parts.size() != target.parts.size()) {
      return InvalidInput(
          fmt::format("{} values to unpack (expected {}, got {})",
                      parts.size() < target.parts.size() ? "not enough" : "too many",
                      target.parts.size(), parts.size()),
          Where(line));
    }
    for (size_t i = 0; i < parts.size(); ++i) {
      FM_RETURN_IF_ERROR(Assign(target.parts[i], std::move(parts[i]), scope, line));
    }
    return {};
  }
  if (target.attribute.empty()) {
    scope->variables[target.name] = std::move(value);
    return {};
  }
  FM_ASSIGN_OR_RETURN(const Value object, Get(Name{target.name}, scope));
  const auto ns = object.IsObject() ? std::dynamic_pointer_cast<Namespace>(object.object())
                                    : std::shared_ptr<Namespace>();
  if (ns == nullptr) {
    return InvalidInput("cannot assign attribute on non-namespace object", Where(line),
                        fmt::format("make '{}' with namespace()", target.name.substr(0, 100)));
  }
  return ns->Set(budget_, target.attribute, std::move(value));
}

}  // namespace flashmoe::jinja
