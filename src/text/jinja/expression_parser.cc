#include "text/jinja/expression_parser.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "text/jinja/characters.h"
#include "text/jinja/parser.h"

namespace flashmoe::jinja {
namespace {

int HeightOf(const ExprPtr& expr) { return expr == nullptr ? 0 : expr->height; }

// Counts recursion for as long as it lives.
class DepthGuard {
 public:
  explicit DepthGuard(int& depth) : depth_(depth) { ++depth_; }
  ~DepthGuard() { --depth_; }

 private:
  int& depth_;
};

Value ConstantText(std::string bytes) {
  auto text = std::make_shared<Text>();
  text->points = CountPoints(bytes);
  text->bytes = std::move(bytes);
  return Value(TextPtr(std::move(text)));
}

}  // namespace

template <typename Node>
Result<ExprPtr> ExpressionParser::Make(int line, int below, Node node) {
  if (below >= kMaxExprHeight) return tokens_.Bad("an expression nests too deeply");
  auto expr = std::make_unique<Expr>();
  expr->line = line;
  expr->height = below + 1;
  expr->node = std::move(node);
  return expr;
}

Result<ExprPtr> ExpressionParser::Expression(bool with_condition) {
  const DepthGuard guard(depth_);
  if (depth_ > kMaxExprHeight) return tokens_.Bad("an expression nests too deeply");
  FM_ASSIGN_OR_RETURN(ExprPtr value, Infix(kOr));
  while (with_condition && tokens_.IsName("if")) {
    const int line = tokens_.line();
    tokens_.Advance();
    Conditional node;
    FM_ASSIGN_OR_RETURN(node.condition, Infix(kOr));
    if (tokens_.TakeName("else")) {
      FM_ASSIGN_OR_RETURN(node.otherwise, Expression());
    }
    node.then = std::move(value);
    const int below =
        std::max({HeightOf(node.condition), HeightOf(node.then), HeightOf(node.otherwise)});
    FM_ASSIGN_OR_RETURN(value, Make(line, below, std::move(node)));
  }
  return value;
}

bool ExpressionParser::AtTupleEnd() const {
  return tokens_.Is(TokenKind::kVariableEnd) || tokens_.Is(TokenKind::kBlockEnd) ||
         tokens_.IsOperator(")");
}

Result<ExprPtr> ExpressionParser::ExpressionOrTuple(bool with_condition) {
  const int line = tokens_.line();
  ListLiteral tuple;
  tuple.is_tuple = true;
  int below = 0;
  while (true) {
    if (!tuple.items.empty() && (AtTupleEnd() || tokens_.IsName("recursive"))) break;
    FM_ASSIGN_OR_RETURN(ExprPtr item, Expression(with_condition));
    below = std::max(below, item->height);
    const bool comma = tokens_.TakeOperator(",");
    if (tuple.items.empty() && !comma) return item;
    tuple.items.push_back(std::move(item));
    if (!comma) break;
  }
  return Make(line, below, std::move(tuple));
}

Result<ExprPtr> ExpressionParser::Infix(int level) {
  const DepthGuard guard(depth_);
  if (depth_ > kMaxExprHeight) return tokens_.Bad("an expression nests too deeply");
  ExprPtr left;
  if (level <= kNot && tokens_.IsName("not")) {
    const int line = tokens_.line();
    tokens_.Advance();
    FM_ASSIGN_OR_RETURN(ExprPtr operand, Infix(kNot));
    const int below = operand->height;
    FM_ASSIGN_OR_RETURN(left, Make(line, below, Unary{UnaryOp::kNot, std::move(operand)}));
  } else {
    FM_ASSIGN_OR_RETURN(left, Prefix());
  }
  for (bool more = true; more;) {
    FM_ASSIGN_OR_RETURN(left, InfixTail(std::move(left), level, more));
  }
  return left;
}

// Continues `left` with one operator that binds at least as tightly as `level`; clears `more` if
// there is none.
Result<ExprPtr> ExpressionParser::InfixTail(ExprPtr left, int level, bool& more) {
  struct BinaryEntry {
    std::string_view symbol;
    BinaryOp op;
    Level level;
  };
  static constexpr BinaryEntry kOperators[] = {{"+", BinaryOp::kAdd, kSum},
                                               {"-", BinaryOp::kSubtract, kSum},
                                               {"*", BinaryOp::kMultiply, kProduct},
                                               {"/", BinaryOp::kDivide, kProduct},
                                               {"//", BinaryOp::kFloorDivide, kProduct},
                                               {"%", BinaryOp::kModulo, kProduct},
                                               {"**", BinaryOp::kPower, kPower}};
  for (const BinaryEntry& entry : kOperators) {
    if (tokens_.IsOperator(entry.symbol) && entry.level >= level) {
      // `+` and `-` take whole concatenations to their right, the others what binds tighter.
      return BinaryTail(std::move(left), entry.op, entry.level + 1);
    }
  }
  if (level <= kConcat && tokens_.IsOperator("~")) return ConcatTail(std::move(left));
  if (level <= kAnd && tokens_.IsName("and")) return LogicalTail(std::move(left), true);
  if (level <= kOr && tokens_.IsName("or")) return LogicalTail(std::move(left), false);
  const ExprPtr::pointer before = left.get();
  if (level <= kCompare) {
    FM_ASSIGN_OR_RETURN(left, CompareTail(std::move(left)));
  }
  more = left.get() != before;
  return left;
}

Result<ExprPtr> ExpressionParser::BinaryTail(ExprPtr left, BinaryOp op, int right_level) {
  const int line = tokens_.line();
  tokens_.Advance();
  FM_ASSIGN_OR_RETURN(ExprPtr right, Infix(right_level));
  const int below = std::max(left->height, right->height);
  return Make(line, below, Binary{op, std::move(left), std::move(right)});
}

Result<ExprPtr> ExpressionParser::LogicalTail(ExprPtr left, bool is_and) {
  const int line = tokens_.line();
  tokens_.Advance();
  FM_ASSIGN_OR_RETURN(ExprPtr right, Infix(is_and ? kNot : kAnd));
  const int below = std::max(left->height, right->height);
  return Make(line, below, Logical{is_and, std::move(left), std::move(right)});
}

Result<ExprPtr> ExpressionParser::ConcatTail(ExprPtr left) {
  const int line = tokens_.line();
  int below = left->height;
  Concat node;
  node.parts.push_back(std::move(left));
  while (tokens_.TakeOperator("~")) {
    FM_ASSIGN_OR_RETURN(ExprPtr part, Infix(kProduct));
    below = std::max(below, part->height);
    node.parts.push_back(std::move(part));
  }
  return Make(line, below, std::move(node));
}

std::optional<CompareOp> ExpressionParser::TakeCompareOp() {
  static constexpr std::pair<std::string_view, CompareOp> kOperators[] = {
      {"==", CompareOp::kEqual},  {"!=", CompareOp::kNotEqual},
      {"<", CompareOp::kLess},    {"<=", CompareOp::kLessEqual},
      {">", CompareOp::kGreater}, {">=", CompareOp::kGreaterEqual}};
  for (const auto& [symbol, op] : kOperators) {
    if (tokens_.TakeOperator(symbol)) return op;
  }
  if (tokens_.TakeName("in")) return CompareOp::kIn;
  const bool not_in = tokens_.IsName("not") && tokens_.next().kind == TokenKind::kName &&
                      tokens_.next().text == "in";
  if (!not_in) return std::nullopt;
  tokens_.Advance();
  tokens_.Advance();
  return CompareOp::kNotIn;
}

Result<ExprPtr> ExpressionParser::CompareTail(ExprPtr left) {
  const int line = tokens_.line();
  Compare node;
  int below = left->height;
  while (const auto op = TakeCompareOp()) {
    FM_ASSIGN_OR_RETURN(ExprPtr right, Infix(kSum));
    below = std::max(below, right->height);
    node.rest.emplace_back(*op, std::move(right));
  }
  if (node.rest.empty()) return left;
  node.first = std::move(left);
  return Make(line, below, std::move(node));
}

Result<ExprPtr> ExpressionParser::Prefix(bool with_filters) {
  const DepthGuard guard(depth_);
  if (depth_ > kMaxExprHeight) return tokens_.Bad("an expression nests too deeply");
  ExprPtr value;
  const int line = tokens_.line();
  if (tokens_.IsOperator("-") || tokens_.IsOperator("+")) {
    const UnaryOp op = tokens_.IsOperator("-") ? UnaryOp::kNegate : UnaryOp::kPlus;
    tokens_.Advance();
    FM_ASSIGN_OR_RETURN(ExprPtr operand, Prefix(false));
    const int below = operand->height;
    FM_ASSIGN_OR_RETURN(value, Make(line, below, Unary{op, std::move(operand)}));
  } else {
    FM_ASSIGN_OR_RETURN(value, Primary());
  }
  FM_ASSIGN_OR_RETURN(value, Postfix(std::move(value)));
  return with_filters ? FiltersAndTests(std::move(value)) : Result<ExprPtr>(std::move(value));
}

Result<ExprPtr> ExpressionParser::Primary() {
  switch (tokens_.current().kind) {
    case TokenKind::kName:
      return NameOrConstant();
    case TokenKind::kString:
      return AdjacentStrings();
    case TokenKind::kInteger:
    case TokenKind::kFloat:
      return Number();
    default:
      break;
  }
  if (tokens_.IsOperator("(")) return Parenthesised();
  if (tokens_.IsOperator("[")) return ListItems();
  if (tokens_.IsOperator("{")) return DictEntries();
  return tokens_.Unexpected("an expression");
}

Result<ExprPtr> ExpressionParser::NameOrConstant() {
  const int line = tokens_.line();
  const std::string name = tokens_.current().text;
  tokens_.Advance();
  if (name == "true" || name == "True") return Make(line, 0, Literal{Value::Bool(true)});
  if (name == "false" || name == "False") return Make(line, 0, Literal{Value::Bool(false)});
  if (name == "none" || name == "None") return Make(line, 0, Literal{Value::None()});
  for (MacroSpec* macro : macros_) {
    macro->uses_caller = macro->uses_caller || name == "caller";
    macro->uses_kwargs = macro->uses_kwargs || name == "kwargs";
    macro->uses_varargs = macro->uses_varargs || name == "varargs";
  }
  return Make(line, 0, Name{name});
}

Result<ExprPtr> ExpressionParser::Number() {
  const Token token = tokens_.current();
  const std::string& text = token.text;
  if (token.kind == TokenKind::kFloat) {
    tokens_.Advance();
    return Make(token.line, 0, Literal{Value::Float(std::strtod(text.c_str(), nullptr))});
  }
  const char kind = text.size() > 1 ? static_cast<char>(text[1] | 0x20) : '\0';
  const int base = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 10;
  int64_t value = 0;
  const char* begin = text.data() + (base == 10 ? 0 : 2);
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(begin, end, value, base);
  if (parsed.ec != std::errc() || parsed.ptr != end) {
    return tokens_.Bad(fmt::format("'{}' is no integer of 64 bits", text.substr(0, 100)));
  }
  tokens_.Advance();
  return Make(token.line, 0, Literal{Value::Int(value)});
}

Result<ExprPtr> ExpressionParser::AdjacentStrings() {
  const int line = tokens_.line();
  std::string text;
  for (; tokens_.Is(TokenKind::kString); tokens_.Advance()) text += tokens_.current().text;
  return Make(line, 0, Literal{ConstantText(std::move(text))});
}

Result<ExprPtr> ExpressionParser::Parenthesised() {
  const int line = tokens_.line();
  tokens_.Advance();
  if (tokens_.TakeOperator(")")) {
    ListLiteral empty;
    empty.is_tuple = true;
    return Make(line, 0, std::move(empty));
  }
  FM_ASSIGN_OR_RETURN(ExprPtr value, ExpressionOrTuple());
  FM_RETURN_IF_ERROR(tokens_.ExpectOperator(")"));
  return value;
}

Result<ExprPtr> ExpressionParser::ListItems() {
  const int line = tokens_.line();
  tokens_.Advance();
  ListLiteral list;
  int below = 0;
  while (!tokens_.IsOperator("]")) {
    if (!list.items.empty()) FM_RETURN_IF_ERROR(tokens_.ExpectOperator(","));
    if (tokens_.IsOperator("]")) break;
    FM_ASSIGN_OR_RETURN(ExprPtr item, Expression());
    below = std::max(below, item->height);
    list.items.push_back(std::move(item));
  }
  tokens_.Advance();
  return Make(line, below, std::move(list));
}

Result<ExprPtr> ExpressionParser::DictEntries() {
  const int line = tokens_.line();
  tokens_.Advance();
  DictLiteral dict;
  int below = 0;
  while (!tokens_.IsOperator("}")) {
    if (!dict.entries.empty()) FM_RETURN_IF_ERROR(tokens_.ExpectOperator(","));
    if (tokens_.IsOperator("}")) break;
    FM_ASSIGN_OR_RETURN(ExprPtr key, Expression());
    FM_RETURN_IF_ERROR(tokens_.ExpectOperator(":"));
    FM_ASSIGN_OR_RETURN(ExprPtr value, Expression());
    below = std::max({below, key->height, value->height});
    dict.entries.emplace_back(std::move(key), std::move(value));
  }
  tokens_.Advance();
  return Make(line, below, std::move(dict));
}

Result<ExprPtr> ExpressionParser::Postfix(ExprPtr value) {
  while (true) {
    if (tokens_.IsOperator(".")) {
      FM_ASSIGN_OR_RETURN(value, AttributeTail(std::move(value)));
    } else if (tokens_.IsOperator("[")) {
      FM_ASSIGN_OR_RETURN(value, SubscriptTail(std::move(value)));
    } else if (tokens_.IsOperator("(")) {
      FM_ASSIGN_OR_RETURN(value, CallTail(std::move(value)));
    } else {
      return value;
    }
  }
}

Result<ExprPtr> ExpressionParser::FiltersAndTests(ExprPtr value) {
  while (true) {
    if (tokens_.IsOperator("|")) {
      tokens_.Advance();
      FM_ASSIGN_OR_RETURN(value, OneFilter(std::move(value)));
    } else if (tokens_.IsName("is")) {
      FM_ASSIGN_OR_RETURN(value, TestTail(std::move(value)));
    } else if (tokens_.IsOperator("(")) {
      FM_ASSIGN_OR_RETURN(value, CallTail(std::move(value)));
    } else {
      return value;
    }
  }
}

Result<ExprPtr> ExpressionParser::AttributeTail(ExprPtr value) {
  tokens_.Advance();
  const int line = tokens_.line();
  const int below = value->height;
  if (tokens_.Is(TokenKind::kInteger)) {  // list.0
    FM_ASSIGN_OR_RETURN(ExprPtr index, Number());
    return Make(line, below, Item{std::move(value), std::move(index)});
  }
  FM_ASSIGN_OR_RETURN(std::string name, tokens_.ExpectName());
  return Make(line, below, Attribute{std::move(value), std::move(name)});
}

Result<ExprPtr> ExpressionParser::SubscriptTail(ExprPtr value) {
  tokens_.Advance();
  if (tokens_.IsOperator("]")) return tokens_.Unexpected("a subscript");
  FM_ASSIGN_OR_RETURN(value, Subscript(std::move(value)));
  FM_RETURN_IF_ERROR(tokens_.ExpectOperator("]"));
  return value;
}

Result<ExprPtr> ExpressionParser::Subscript(ExprPtr value) {
  const int line = tokens_.line();
  ExprPtr parts[3];
  int colons = 0;
  int below = value->height;
  while (true) {
    if (tokens_.IsOperator(":") && colons < 2) {
      tokens_.Advance();
      ++colons;
    } else if (tokens_.IsOperator("]") || parts[colons] != nullptr) {
      break;
    } else {
      FM_ASSIGN_OR_RETURN(parts[colons], colons == 0 ? ExpressionOrTuple() : Expression());
      below = std::max(below, parts[colons]->height);
    }
  }
  if (colons == 0) return Make(line, below, Item{std::move(value), std::move(parts[0])});
  return Make(
      line, below,
      Slice{std::move(value), std::move(parts[0]), std::move(parts[1]), std::move(parts[2])});
}

Result<ExprPtr> ExpressionParser::CallTail(ExprPtr value) {
  const int line = tokens_.line();
  Call call;
  int below = value->height;
  FM_RETURN_IF_ERROR(Arguments(call.args, below));
  call.callee = std::move(value);
  return Make(line, below, std::move(call));
}

Status ExpressionParser::Arguments(CallArgs& args, int& height) {
  FM_RETURN_IF_ERROR(tokens_.ExpectOperator("("));
  for (bool first = true; !tokens_.TakeOperator(")"); first = false) {
    if (!first) {
      FM_RETURN_IF_ERROR(tokens_.ExpectOperator(","));
      if (tokens_.TakeOperator(")")) break;
    }
    ExprPtr* place = nullptr;
    const bool named = tokens_.Is(TokenKind::kName) &&
                       tokens_.next().kind == TokenKind::kOperator && tokens_.next().text == "=";
    if (tokens_.IsOperator("*") && args.spread == nullptr && args.spread_named == nullptr) {
      tokens_.Advance();
      place = &args.spread;
    } else if (tokens_.IsOperator("**") && args.spread_named == nullptr) {
      tokens_.Advance();
      place = &args.spread_named;
    } else if (named && args.spread_named == nullptr) {
      place = &args.named.emplace_back(tokens_.current().text, nullptr).second;
      tokens_.Advance();
      tokens_.Advance();
    } else if (args.named.empty() && args.spread == nullptr && args.spread_named == nullptr) {
      place = &args.positional.emplace_back();
    } else {
      return tokens_.Bad("invalid order of arguments in a call");
    }
    FM_ASSIGN_OR_RETURN(*place, Expression());
    height = std::max(height, (*place)->height);
  }
  return {};
}

Result<std::string> ExpressionParser::DottedName() {
  FM_ASSIGN_OR_RETURN(std::string name, tokens_.ExpectName());
  while (tokens_.TakeOperator(".")) {
    FM_ASSIGN_OR_RETURN(const std::string part, tokens_.ExpectName());
    name += "." + part;
  }
  return name;
}

Result<ExprPtr> ExpressionParser::FilterChain(ExprPtr value) {
  do {
    FM_ASSIGN_OR_RETURN(value, OneFilter(std::move(value)));
  } while (tokens_.TakeOperator("|"));
  return value;
}

Result<ExprPtr> ExpressionParser::OneFilter(ExprPtr value) {
  const int line = tokens_.line();
  FilterCall call;
  int below = HeightOf(value);
  FM_ASSIGN_OR_RETURN(call.name, DottedName());
  if (tokens_.IsOperator("(")) FM_RETURN_IF_ERROR(Arguments(call.args, below));
  call.value = std::move(value);
  return Make(line, below, std::move(call));
}

Result<ExprPtr> ExpressionParser::TestTail(ExprPtr value) {
  const int line = tokens_.line();
  tokens_.Advance();
  const bool negated = tokens_.TakeName("not");
  TestCall call;
  int below = value->height;
  FM_ASSIGN_OR_RETURN(call.name, DottedName());
  const Token& token = tokens_.current();
  const bool keyword = tokens_.IsName("else") || tokens_.IsName("or") || tokens_.IsName("and");
  const bool operand = token.kind == TokenKind::kName || token.kind == TokenKind::kString ||
                       token.kind == TokenKind::kInteger || token.kind == TokenKind::kFloat ||
                       tokens_.IsOperator("[") || tokens_.IsOperator("{");
  if (tokens_.IsOperator("(")) {
    FM_RETURN_IF_ERROR(Arguments(call.args, below));
  } else if (operand && !keyword) {
    if (tokens_.IsName("is")) return tokens_.Bad("You cannot chain multiple tests with is");
    FM_ASSIGN_OR_RETURN(ExprPtr argument, Primary());
    FM_ASSIGN_OR_RETURN(argument, Postfix(std::move(argument)));
    below = std::max(below, argument->height);
    call.args.positional.push_back(std::move(argument));
  }
  call.value = std::move(value);
  FM_ASSIGN_OR_RETURN(ExprPtr test, Make(line, below, std::move(call)));
  if (!negated) return test;
  return Make(line, below + 1, Unary{UnaryOp::kNot, std::move(test)});
}

}  // namespace flashmoe::jinja
