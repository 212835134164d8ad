// A parsed template. Owned by whoever parsed it, never changed, shared by all renderings.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "text/jinja/operators.h"
#include "text/jinja/value.h"

namespace flashmoe::jinja {

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct CallArgs {
  std::vector<ExprPtr> positional;
  std::vector<std::pair<std::string, ExprPtr>> named;
  ExprPtr spread;        // *expr, or null
  ExprPtr spread_named;  // **expr, or null
};

struct Literal {
  Value value;
};
struct Name {
  std::string name;
};
struct ListLiteral {
  std::vector<ExprPtr> items;
  bool is_tuple = false;
};
struct DictLiteral {
  std::vector<std::pair<ExprPtr, ExprPtr>> entries;
};
enum class UnaryOp { kNegate, kPlus, kNot };
struct Unary {
  UnaryOp op;
  ExprPtr operand;
};
struct Binary {
  BinaryOp op;
  ExprPtr left;
  ExprPtr right;
};
struct Logical {
  bool is_and;
  ExprPtr left;
  ExprPtr right;
};
struct Concat {
  std::vector<ExprPtr> parts;
};
enum class CompareOp { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual, kIn, kNotIn };
struct Compare {  // a < b < c
  ExprPtr first;
  std::vector<std::pair<CompareOp, ExprPtr>> rest;
};
struct Conditional {
  ExprPtr condition;
  ExprPtr then;
  ExprPtr otherwise;  // may be null
};
struct Attribute {
  ExprPtr object;
  std::string name;
};
struct Item {
  ExprPtr object;
  ExprPtr key;
};
struct Slice {
  ExprPtr object;
  ExprPtr start, stop, step;  // null if left out
};
struct Call {
  ExprPtr callee;
  CallArgs args;
};
struct FilterCall {
  ExprPtr value;  // null in a filter block: its body
  std::string name;
  CallArgs args;
};
struct TestCall {
  ExprPtr value;
  std::string name;
  CallArgs args;
};

struct Expr {
  int line = 0;
  int height = 1;  // of the tree below, which bounds recursion
  std::variant<Literal, Name, ListLiteral, DictLiteral, Unary, Binary, Logical, Concat, Compare,
               Conditional, Attribute, Item, Slice, Call, FilterCall, TestCall>
      node;
};

struct Stmt;
using Body = std::vector<Stmt>;

// What `set` and `for` assign to: a name, a namespace's attribute, or a tuple of targets.
struct Target {
  std::string name;
  std::string attribute;  // of the namespace `name`, if not empty
  std::vector<Target> parts;
  bool is_tuple = false;
};

struct Data {
  std::string text;
};
struct Output {
  ExprPtr expr;
};
struct If {
  std::vector<std::pair<ExprPtr, Body>> branches;
  Body otherwise;
};
struct For {
  Target target;
  ExprPtr iterable;
  ExprPtr condition;  // may be null
  Body body;
  Body otherwise;
};
struct Set {
  Target target;
  ExprPtr value;
};
struct SetBlock {
  Target target;
  ExprPtr filter;  // applied to the body's text; may be null
  Body body;
};
struct MacroSpec {
  std::string name;
  std::vector<std::string> parameters;
  std::vector<ExprPtr> defaults;  // of the last parameters
  Body body;
  // The body reads these names, so the macro takes such arguments.
  bool uses_varargs = false;
  bool uses_kwargs = false;
  bool uses_caller = false;
};
struct MacroDef {
  std::shared_ptr<const MacroSpec> spec;
};
struct CallBlock {
  std::shared_ptr<const MacroSpec> caller;
  ExprPtr call;  // a Call
};
struct FilterBlock {
  ExprPtr filter;
  Body body;
};
struct With {  // and `generation`, which binds nothing
  std::vector<std::pair<Target, ExprPtr>> bindings;
  Body body;
};
struct Break {};
struct Continue {};

struct Stmt {
  int line = 0;
  std::variant<Data, Output, If, For, Set, SetBlock, MacroDef, CallBlock, FilterBlock, With, Break,
               Continue>
      node;
};

}  // namespace flashmoe::jinja
