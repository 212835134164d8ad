#include "grammar/json_text.h"

#include "grammar/char_class.h"
#include "grammar/number_text.h"

namespace flashmoe::grammar {
namespace {

constexpr int kIndentMax = 32;

void AddHex(Nfa& nfa, NodeId from, NodeId to) {
  nfa.AddBytes(from, '0', '9', to);
  nfa.AddBytes(from, 'a', 'f', to);
  nfa.AddBytes(from, 'A', 'F', to);
}

NodeId Hex(Nfa& nfa, NodeId from, int digits) {
  for (int i = 0; i < digits; ++i) {
    const NodeId to = nfa.AddNode();
    AddHex(nfa, from, to);
    from = to;
  }
  return from;
}

// \uXXXX: a character, or the two halves of one.
void AddUnicodeEscapes(Nfa& nfa, NodeId from, NodeId to) {
  const NodeId u = nfa.Literal(from, "\\u");
  const NodeId three = nfa.AnyOf(u, "0123456789abcefABCEF");
  nfa.AddEmpty(Hex(nfa, three, 3), to);
  const NodeId d = nfa.AnyOf(u, "dD");
  nfa.AddEmpty(Hex(nfa, nfa.AnyOf(d, "01234567"), 2), to);
  const NodeId high = Hex(nfa, nfa.AnyOf(d, "89abAB"), 2);
  const NodeId low = nfa.AnyOf(nfa.AnyOf(nfa.Literal(high, "\\u"), "dD"), "cdefCDEF");
  nfa.AddEmpty(Hex(nfa, low, 2), to);
}

}  // namespace

NodeId JsonText::Space(Nfa& nfa, NodeId from) {
  if (space_ == JsonSpace::kCompact) return from;
  if (!space_rule_) {
    space_rule_ = builder_.Reserve();
    Nfa rule = builder_.NewNfa();
    const NodeId end = rule.AddNode();
    rule.AddEmpty(rule.Literal(0, " "), end);
    NodeId indent = rule.Literal(0, "\n");
    for (int i = 0; i < kIndentMax; ++i) {
      rule.AddEmpty(indent, end);
      indent = rule.AnyOf(indent, " \t");
    }
    rule.AddEmpty(indent, end);
    builder_.Define(*space_rule_, rule, end);
  }
  const NodeId to = nfa.Call(from, *space_rule_);
  nfa.AddEmpty(from, to);
  return to;
}

RuleId JsonText::StringRule() {
  if (string_rule_) return *string_rule_;
  string_rule_ = builder_.Reserve();
  Nfa rule = builder_.NewNfa();
  const CharClass special({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}});
  rule.AddEmpty(AppendChar(rule, 0, special.Negated(), TextEncoding::kUtf8), 0);
  rule.AddEmpty(rule.AnyOf(rule.Literal(0, "\\"), "\"\\/bfnrt"), 0);
  AddUnicodeEscapes(rule, 0, 0);
  builder_.Define(*string_rule_, rule, rule.Literal(0, "\""));
  return *string_rule_;
}

RuleId JsonText::ValueRule() {
  if (value_rule_) return *value_rule_;
  value_rule_ = builder_.Reserve();
  Nfa rule = builder_.NewNfa();
  const NodeId end = rule.AddNode();
  for (const std::string_view word : {"true", "false", "null"}) {
    rule.AddEmpty(rule.Literal(0, word), end);
  }
  rule.AddEmpty(AnyNumber(rule, 0), end);
  rule.AddEmpty(AnyString(rule, 0), end);
  rule.AddEmpty(AnyObject(rule, 0), end);
  rule.AddEmpty(AnyArray(rule, 0), end);
  builder_.Define(*value_rule_, rule, end);
  return *value_rule_;
}

NodeId JsonText::AnyValue(Nfa& nfa, NodeId from) { return nfa.Call(from, ValueRule()); }

NodeId JsonText::AnyString(Nfa& nfa, NodeId from) {
  return nfa.Call(nfa.Literal(from, "\""), StringRule());
}

NodeId JsonText::AnyNumber(Nfa& nfa, NodeId from) {
  return nfa.Insert(from, PlainNumberMachine(/*integer=*/false));
}

NodeId JsonText::Boolean(Nfa& nfa, NodeId from) {
  const NodeId to = nfa.AddNode();
  nfa.AddEmpty(nfa.Literal(from, "true"), to);
  nfa.AddEmpty(nfa.Literal(from, "false"), to);
  return to;
}

NodeId JsonText::Members(Nfa& nfa, NodeId from) {
  const NodeId member = nfa.AddNode();
  nfa.AddEmpty(from, member);
  const NodeId end = AnyValue(nfa, Colon(nfa, AnyString(nfa, member)));
  nfa.AddEmpty(Comma(nfa, end), member);
  return end;
}

NodeId JsonText::AnyObject(Nfa& nfa, NodeId from) {
  const NodeId open = Space(nfa, nfa.Literal(from, "{"));
  const NodeId close = Space(nfa, Members(nfa, open));
  nfa.AddEmpty(open, close);
  return nfa.Literal(close, "}");
}

NodeId JsonText::AnyArray(Nfa& nfa, NodeId from) {
  const NodeId open = Space(nfa, nfa.Literal(from, "["));
  const NodeId item = nfa.AddNode();
  nfa.AddEmpty(open, item);
  const NodeId end = AnyValue(nfa, item);
  nfa.AddEmpty(Comma(nfa, end), item);
  const NodeId close = Space(nfa, end);
  nfa.AddEmpty(open, close);
  return nfa.Literal(close, "]");
}

NodeId JsonText::String(Nfa& nfa, NodeId from, std::string_view text) {
  using nlohmann::ordered_json;
  return nfa.Literal(
      from, ordered_json(text).dump(-1, ' ', false, ordered_json::error_handler_t::replace));
}

NodeId JsonText::Value(Nfa& nfa, NodeId from, const nlohmann::ordered_json& value) {
  if (value.is_string()) return String(nfa, from, value.get_ref<const std::string&>());
  if (!value.is_structured()) return nfa.Literal(from, value.dump());
  NodeId at = Space(nfa, nfa.Literal(from, value.is_object() ? "{" : "["));
  bool first = true;
  for (const auto& [key, member] : value.items()) {
    if (!first) at = Comma(nfa, at);
    first = false;
    if (value.is_object()) at = Colon(nfa, String(nfa, at, key));
    at = Value(nfa, at, member);
  }
  if (!first) at = Space(nfa, at);
  return nfa.Literal(at, value.is_object() ? "}" : "]");
}

}  // namespace flashmoe::grammar
