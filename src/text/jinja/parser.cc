#include "text/jinja/parser.h"

#include <algorithm>
#include <initializer_list>

#include "text/jinja/expression_parser.h"

namespace flashmoe::jinja {
namespace {

using EndTags = std::initializer_list<std::string_view>;

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)), expressions_(tokens_) {}

  Result<Body> Run() { return Statements({}, 1); }

 private:
  // Statements up to a tag named in `ends`, whose name becomes the current token. `opened` is the
  // line of the tag that began them.
  Result<Body> Statements(EndTags ends, int opened) {
    if (++depth_ > kMaxBlockDepth) return tokens_.Bad("blocks nest too deeply");
    Body body;
    while (!tokens_.Is(TokenKind::kEnd)) {
      if (tokens_.Is(TokenKind::kBlockBegin)) {
        tokens_.Advance();
        if (IsEnd(ends)) {
          --depth_;
          return body;
        }
      }
      FM_ASSIGN_OR_RETURN(Stmt statement, Statement());
      body.push_back(std::move(statement));
    }
    --depth_;
    if (ends.size() == 0) return body;
    return InvalidInput(fmt::format("a block lacks its {}", *(ends.end() - 1)), Where(opened));
  }

  bool IsEnd(EndTags ends) const {
    return std::any_of(ends.begin(), ends.end(),
                       [this](std::string_view end) { return tokens_.IsName(end); });
  }

  // One statement; of a tag, what follows "{%".
  Result<Stmt> Statement() {
    Stmt statement;
    statement.line = tokens_.line();
    if (tokens_.Is(TokenKind::kData)) {
      statement.node = Data{tokens_.current().text};
      tokens_.Advance();
      return statement;
    }
    if (tokens_.Is(TokenKind::kVariableBegin)) {
      tokens_.Advance();
      FM_ASSIGN_OR_RETURN(ExprPtr expr, expressions_.ExpressionOrTuple());
      if (!tokens_.Is(TokenKind::kVariableEnd)) return tokens_.Unexpected("'}}'");
      tokens_.Advance();
      statement.node = Output{std::move(expr)};
      return statement;
    }
    FM_ASSIGN_OR_RETURN(const std::string tag, tokens_.ExpectName());
    FM_RETURN_IF_ERROR(TagBody(tag, statement));
    FM_RETURN_IF_ERROR(tokens_.ExpectBlockEnd());
    return statement;
  }

  // Parses a tag behind its name, up to but without the closing "%}" of its last part.
  Status TagBody(const std::string& tag, Stmt& statement) {
    if (tag == "if") return IfTag(statement);
    if (tag == "for") return ForTag(statement);
    if (tag == "set") return SetTag(statement);
    if (tag == "macro") return MacroTag(statement);
    if (tag == "call") return CallTag(statement);
    if (tag == "filter") return FilterTag(statement);
    if (tag == "with") return WithTag(statement);
    if (tag == "generation") return GenerationTag(statement);
    if (tag == "break" || tag == "continue") return LoopControl(tag, statement);
    for (const std::string_view unsupported :
         {"include", "import", "from", "extends", "block", "autoescape", "do", "print", "trans"}) {
      if (tag == unsupported) {
        return Fail(ErrorCode::kUnsupported,
                    fmt::format("the tag '{}' is not supported in chat templates", tag),
                    Where(statement.line), "a chat template must stand alone");
      }
    }
    return InvalidInput(fmt::format("Encountered unknown tag '{}'", tag.substr(0, 100)),
                        Where(statement.line));
  }

  // The rest of a tag's opening part and its body, up to the name of an end tag.
  Result<Body> Block(EndTags ends) {
    const int line = tokens_.line();
    FM_RETURN_IF_ERROR(tokens_.ExpectBlockEnd());
    return Statements(ends, line);
  }

  // As above, and past the only end tag.
  Result<Body> WholeBlock(std::string_view end) {
    FM_ASSIGN_OR_RETURN(Body body, Block({end}));
    tokens_.Advance();
    return body;
  }

  Status IfTag(Stmt& statement) {
    If node;
    do {
      FM_ASSIGN_OR_RETURN(ExprPtr condition, expressions_.ExpressionOrTuple(false));
      FM_ASSIGN_OR_RETURN(Body body, Block({"elif", "else", "endif"}));
      node.branches.emplace_back(std::move(condition), std::move(body));
    } while (tokens_.TakeName("elif"));
    if (tokens_.TakeName("else")) {
      FM_ASSIGN_OR_RETURN(node.otherwise, Block({"endif"}));
    }
    tokens_.Advance();
    statement.node = std::move(node);
    return {};
  }

  Status ForTag(Stmt& statement) {
    For node;
    FM_ASSIGN_OR_RETURN(node.target, TargetList());
    if (!tokens_.TakeName("in")) return tokens_.Unexpected("'in'");
    FM_ASSIGN_OR_RETURN(node.iterable, expressions_.ExpressionOrTuple(false));
    if (tokens_.TakeName("if")) {
      FM_ASSIGN_OR_RETURN(node.condition, expressions_.Expression());
    }
    if (tokens_.IsName("recursive")) {
      return Fail(ErrorCode::kUnsupported, "recursive loops are not supported",
                  Where(statement.line), "a macro can call itself instead");
    }
    ++loops_;
    FM_ASSIGN_OR_RETURN(node.body, Block({"else", "endfor"}));
    --loops_;
    if (tokens_.TakeName("else")) {
      FM_ASSIGN_OR_RETURN(node.otherwise, Block({"endfor"}));
    }
    tokens_.Advance();
    statement.node = std::move(node);
    return {};
  }

  Status LoopControl(const std::string& tag, Stmt& statement) {
    if (loops_ == 0) {
      return InvalidInput(fmt::format("'{}' outside a loop", tag), Where(statement.line));
    }
    if (tag == "break") {
      statement.node = Break{};
    } else {
      statement.node = Continue{};
    }
    return {};
  }

  // "a", "a, b", "(a, b), c"
  Result<Target> TargetList() {
    FM_ASSIGN_OR_RETURN(Target first, OneTarget());
    if (!tokens_.IsOperator(",")) return first;
    Target tuple;
    tuple.is_tuple = true;
    tuple.parts.push_back(std::move(first));
    while (tokens_.TakeOperator(",")) {
      if (!tokens_.Is(TokenKind::kName) && !tokens_.IsOperator("(")) break;
      if (tokens_.IsName("in")) break;
      FM_ASSIGN_OR_RETURN(Target part, OneTarget());
      tuple.parts.push_back(std::move(part));
    }
    return tuple;
  }

  Result<Target> OneTarget() {
    if (tokens_.IsOperator("(") || tokens_.IsOperator("[")) {
      const std::string_view close = tokens_.IsOperator("(") ? ")" : "]";
      tokens_.Advance();
      if (++depth_ > kMaxBlockDepth) return tokens_.Bad("targets nest too deeply");
      FM_ASSIGN_OR_RETURN(Target inner, TargetList());
      --depth_;
      FM_RETURN_IF_ERROR(tokens_.ExpectOperator(close));
      return inner;
    }
    Target target;
    FM_ASSIGN_OR_RETURN(target.name, tokens_.ExpectName());
    for (const std::string_view constant : {"true", "false", "none", "True", "False", "None"}) {
      if (target.name == constant) {
        return tokens_.Bad(fmt::format("can't assign to '{}'", constant));
      }
    }
    return target;
  }

  Status SetTag(Stmt& statement) {
    FM_ASSIGN_OR_RETURN(Target target, TargetList());
    if (!target.is_tuple && tokens_.TakeOperator(".")) {
      FM_ASSIGN_OR_RETURN(target.attribute, tokens_.ExpectName());
    }
    if (tokens_.TakeOperator("=")) {
      Set node;
      node.target = std::move(target);
      FM_ASSIGN_OR_RETURN(node.value, expressions_.ExpressionOrTuple());
      statement.node = std::move(node);
      return {};
    }
    SetBlock node;
    node.target = std::move(target);
    if (tokens_.TakeOperator("|")) {
      FM_ASSIGN_OR_RETURN(node.filter, expressions_.FilterChain(nullptr));
    }
    FM_ASSIGN_OR_RETURN(node.body, WholeBlock("endset"));
    statement.node = std::move(node);
    return {};
  }

  Status Signature(MacroSpec& spec) {
    FM_RETURN_IF_ERROR(tokens_.ExpectOperator("("));
    while (!tokens_.TakeOperator(")")) {
      if (!spec.parameters.empty()) FM_RETURN_IF_ERROR(tokens_.ExpectOperator(","));
      FM_ASSIGN_OR_RETURN(Target parameter, OneTarget());
      if (parameter.is_tuple) return tokens_.Bad("a parameter must be a name");
      spec.parameters.push_back(std::move(parameter.name));
      if (tokens_.TakeOperator("=")) {
        FM_ASSIGN_OR_RETURN(ExprPtr fallback, expressions_.Expression());
        spec.defaults.push_back(std::move(fallback));
      } else if (!spec.defaults.empty()) {
        return tokens_.Bad("non-default argument follows default argument");
      }
    }
    return {};
  }

  Status MacroBody(MacroSpec& spec, std::string_view end) {
    const int loops = std::exchange(loops_, 0);
    expressions_.EnterMacro(&spec);
    auto body = WholeBlock(end);
    expressions_.LeaveMacro();
    loops_ = loops;
    if (!body.has_value()) return std::unexpected(std::move(body).error());
    spec.body = std::move(*body);
    return {};
  }

  Status MacroTag(Stmt& statement) {
    auto spec = std::make_shared<MacroSpec>();
    FM_ASSIGN_OR_RETURN(spec->name, tokens_.ExpectName());
    FM_RETURN_IF_ERROR(Signature(*spec));
    FM_RETURN_IF_ERROR(MacroBody(*spec, "endmacro"));
    statement.node = MacroDef{std::move(spec)};
    return {};
  }

  Status CallTag(Stmt& statement) {
    auto caller = std::make_shared<MacroSpec>();
    caller->name = "caller";
    if (tokens_.IsOperator("(")) FM_RETURN_IF_ERROR(Signature(*caller));
    CallBlock node;
    FM_ASSIGN_OR_RETURN(node.call, expressions_.Expression());
    if (!std::holds_alternative<Call>(node.call->node)) {
      return tokens_.Bad("a call block needs a call");
    }
    FM_RETURN_IF_ERROR(MacroBody(*caller, "endcall"));
    node.caller = std::move(caller);
    statement.node = std::move(node);
    return {};
  }

  Status FilterTag(Stmt& statement) {
    FilterBlock node;
    FM_ASSIGN_OR_RETURN(node.filter, expressions_.FilterChain(nullptr));
    FM_ASSIGN_OR_RETURN(node.body, WholeBlock("endfilter"));
    statement.node = std::move(node);
    return {};
  }

  Status WithTag(Stmt& statement) {
    With node;
    while (!tokens_.Is(TokenKind::kBlockEnd)) {
      if (!node.bindings.empty()) FM_RETURN_IF_ERROR(tokens_.ExpectOperator(","));
      FM_ASSIGN_OR_RETURN(Target target, TargetList());
      FM_RETURN_IF_ERROR(tokens_.ExpectOperator("="));
      FM_ASSIGN_OR_RETURN(ExprPtr value, expressions_.Expression());
      node.bindings.emplace_back(std::move(target), std::move(value));
    }
    FM_ASSIGN_OR_RETURN(node.body, WholeBlock("endwith"));
    statement.node = std::move(node);
    return {};
  }

  // Marks what the assistant wrote, for training; here only a scope of its own.
  Status GenerationTag(Stmt& statement) {
    With node;
    const int loops = std::exchange(loops_, 0);
    FM_ASSIGN_OR_RETURN(node.body, WholeBlock("endgeneration"));
    loops_ = loops;
    statement.node = std::move(node);
    return {};
  }

  TokenStream tokens_;
  ExpressionParser expressions_;
  int depth_ = 0;
  int loops_ = 0;  // around the current place, within its macro
};

}  // namespace

Result<Body> Parse(std::string_view source) {
  FM_ASSIGN_OR_RETURN(std::vector<Token> tokens, Tokenize(source));
  return Parser(std::move(tokens)).Run();
}

}  // namespace flashmoe::jinja
