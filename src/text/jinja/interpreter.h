// Runs a parsed template.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "text/jinja/args.h"
#include "text/jinja/ast.h"
#include "text/jinja/builtins.h"

namespace flashmoe::jinja {

struct Scope {
  explicit Scope(std::shared_ptr<Scope> up) : parent(std::move(up)) {}
  std::unordered_map<std::string_view, Value> variables;  // the names live in the syntax tree
  std::shared_ptr<Scope> parent;
  bool captured = false;  // by a macro, which may outlive it
};
using ScopePtr = std::shared_ptr<Scope>;

struct RenderLimits {
  int macro_depth = 100;
  uint64_t output_bytes = 64 << 20;
};

class Interpreter {
 public:
  // All must outlive it.
  Interpreter(Budget& budget, const RenderLimits& limits, const Dict& context)
      : budget_(budget), limits_(limits), context_(context) {}
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;
  ~Interpreter();

  Result<std::string> Run(const Body& body);

  // For macros and loops, which call back.
  Result<Value> CallMacro(const MacroSpec& spec, const ScopePtr& scope, const Args& args);
  Result<Value> Evaluate(const Expr& expr, const ScopePtr& scope);
  Status Assign(const Target& target, Value value, const ScopePtr& scope, int line);
  Result<Value> MakeTrackedNamespace(const Args& args);
  Budget& budget() { return budget_; }

 private:
  enum class Flow { kNormal, kBreak, kContinue };

  Result<Flow> Execute(const Body& body, const ScopePtr& scope, TextBuilder& out);
  Result<Flow> Execute(const Stmt& statement, const ScopePtr& scope, TextBuilder& out);
  Result<Flow> Do(const Data& node, const ScopePtr& scope, TextBuilder& out, int line);
  Result<Flow> Do(const Output& node, const ScopePtr& scope, TextBuilder& out, int line);
  Result<Flow> Do(const If& node, const ScopePtr& scope, TextBuilder& out, int line);
  Result<Flow> Do(const For& node, const ScopePtr& scope, TextBuilder& out, int line);
  Result<Flow> Do(const Set& node, const ScopePtr& scope, TextBuilder& out, int line);
  Result<Flow> Do(const SetBlock& node, const ScopePtr& scope, TextBuilder& out, int line);
  Result<Flow> Do(const MacroDef& node, const ScopePtr& scope, TextBuilder& out, int line);
  Result<Flow> Do(const CallBlock& node, const ScopePtr& scope, TextBuilder& out, int line);
  Result<Flow> Do(const FilterBlock& node, const ScopePtr& scope, TextBuilder& out, int line);
  Result<Flow> Do(const With& node, const ScopePtr& scope, TextBuilder& out, int line);
  Result<Flow> Do(const Break& node, const ScopePtr& scope, TextBuilder& out, int line);
  Result<Flow> Do(const Continue& node, const ScopePtr& scope, TextBuilder& out, int line);
  Status Emit(TextBuilder& out, const Value& value);

  Result<Value> Get(const Literal& node, const ScopePtr& scope);
  Result<Value> Get(const Name& node, const ScopePtr& scope);
  Result<Value> Get(const ListLiteral& node, const ScopePtr& scope);
  Result<Value> Get(const DictLiteral& node, const ScopePtr& scope);
  Result<Value> Get(const Unary& node, const ScopePtr& scope);
  Result<Value> Get(const Binary& node, const ScopePtr& scope);
  Result<Value> Get(const Logical& node, const ScopePtr& scope);
  Result<Value> Get(const Concat& node, const ScopePtr& scope);
  Result<Value> Get(const Compare& node, const ScopePtr& scope);
  Result<Value> Get(const Conditional& node, const ScopePtr& scope);
  Result<Value> Get(const Attribute& node, const ScopePtr& scope);
  Result<Value> Get(const Item& node, const ScopePtr& scope);
  Result<Value> Get(const Slice& node, const ScopePtr& scope);
  Result<Value> Get(const Call& node, const ScopePtr& scope);
  Result<Value> Get(const FilterCall& node, const ScopePtr& scope);
  Result<Value> Get(const TestCall& node, const ScopePtr& scope);
  // None if the expression is left out.
  Result<Value> GetOptional(const ExprPtr& expr, const ScopePtr& scope);
  // A filter block's chain of filters, applied to its body's text.
  Result<Value> ApplyFilters(const Expr& chain, const Value& text, const ScopePtr& scope);
  Result<Value> CallFilter(const FilterCall& node, const Value& value, const ScopePtr& scope);
  Result<Value> CallWith(const Call& node, const ScopePtr& scope, Args args);
  Result<Args> GetArgs(const CallArgs& args, const ScopePtr& scope);
  Result<bool> Holds(CompareOp op, const Value& a, const Value& b);
  Result<bool> HoldsInOrder(CompareOp op, const Value& a, const Value& b);
  Result<Value> MakeMacro(const std::shared_ptr<const MacroSpec>& spec, const ScopePtr& scope);
  Result<Value> CallValue(const Value& callee, const Args& args);
  Value NamespaceFunction();
  Status BindParameters(const MacroSpec& spec, const ScopePtr& inner, const Args& args);
  Status BindSurplus(const MacroSpec& spec, const ScopePtr& inner, const Args& args,
                     const std::unordered_map<std::string_view, const Value*>& left);

  Budget& budget_;
  const RenderLimits& limits_;
  const Dict& context_;
  int macro_depth_ = 0;
  // What could form cycles of references; emptied at the end.
  std::vector<ScopePtr> captured_;
  std::vector<std::shared_ptr<Namespace>> namespaces_;
  Charge tracked_{&budget_};
  const Value* filtered_ = nullptr;  // the text that a filter block's chain begins with
};

}  // namespace flashmoe::jinja
