// Expressions: a Pratt parser with Jinja2's precedences.
#pragma once

#include <string>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/token_stream.h"

namespace flashmoe::jinja {

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  // `a if b else c` and all below; without the condition if told so.
  Result<ExprPtr> Expression(bool with_condition = true);
  // An expression, or a tuple of several separated by commas.
  Result<ExprPtr> ExpressionOrTuple(bool with_condition = true);
  // "name(args) | name ..." applied to null: what filter and set blocks have.
  Result<ExprPtr> FilterChain(ExprPtr value);

  // While a macro's body is parsed, notes which of varargs, kwargs and caller it reads.
  void EnterMacro(MacroSpec* spec) { macros_.push_back(spec); }
  void LeaveMacro() { macros_.pop_back(); }

 private:
  enum Level { kOr = 1, kAnd, kNot, kCompare, kSum, kConcat, kProduct, kPower, kUnary };

  Result<ExprPtr> Infix(int level);
  Result<ExprPtr> InfixTail(ExprPtr left, int level, bool& more);
  Result<ExprPtr> BinaryTail(ExprPtr left, BinaryOp op, int right_level);
  Result<ExprPtr> LogicalTail(ExprPtr left, bool is_and);
  Result<ExprPtr> ConcatTail(ExprPtr left);
  Result<ExprPtr> CompareTail(ExprPtr left);
  std::optional<CompareOp> TakeCompareOp();
  Result<ExprPtr> Prefix(bool with_filters = true);
  Result<ExprPtr> Primary();
  Result<ExprPtr> NameOrConstant();
  Result<ExprPtr> Number();
  Result<ExprPtr> AdjacentStrings();
  Result<ExprPtr> Parenthesised();
  Result<ExprPtr> ListItems();
  Result<ExprPtr> DictEntries();
  Result<ExprPtr> Postfix(ExprPtr value);
  Result<ExprPtr> FiltersAndTests(ExprPtr value);
  Result<ExprPtr> AttributeTail(ExprPtr value);
  Result<ExprPtr> SubscriptTail(ExprPtr value);
  Result<ExprPtr> Subscript(ExprPtr value);
  Result<ExprPtr> CallTail(ExprPtr value);
  Result<ExprPtr> OneFilter(ExprPtr value);
  Result<ExprPtr> TestTail(ExprPtr value);
  Status Arguments(CallArgs& args, int& height);
  Result<std::string> DottedName();
  bool AtTupleEnd() const;

  template <typename Node>
  Result<ExprPtr> Make(int line, int below, Node node);

  TokenStream& tokens_;
  std::vector<MacroSpec*> macros_;
  int depth_ = 0;
};

}  // namespace flashmoe::jinja
