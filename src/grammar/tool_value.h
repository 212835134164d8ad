// One argument in the form of Qwen3.5, from behind <parameter=KEY>\n up to the end of
// </parameter>\n: a string as it is, everything else as JSON. Where both are possible, a text that
// can be read as something else is no string (chat/argument_types.h reads it so).
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "grammar/schema_compiler.h"

namespace flashmoe::grammar {

class ToolValue {
 public:
  ToolValue(SchemaContext context, SchemaCompiler& compiler)
      : context_(context), compiler_(compiler) {}

  Result<NodeId> Append(Nfa& nfa, NodeId from, const Schema& schema, const std::string& pointer);
  NodeId AppendAnyText(Nfa& nfa, NodeId from);

 private:
  // A flat schema without alternatives, of strings alone or of anything but strings.
  struct Kind {
    Schema schema;
    std::string pointer;
    bool is_string = false;
    bool is_plain = false;  // nothing is said but the type
  };
  // All that a schema allows.
  Status AddKinds(const Schema& schema, const std::string& pointer, int depth,
                  std::vector<Kind>& kinds);
  Status AddKindsOf(const Schema& flat, const std::string& pointer, std::vector<Kind>& kinds);
  // Whether a value can be a string, whose text would stand there without quotes.
  Result<bool> MayBeString(const Schema& schema, const std::string& pointer, int depth);
  // The strings of a kind that are read back as strings, and what ends them; `others` are the types
  // that they might be read as.
  Result<NodeId> AppendStrings(Nfa& nfa, NodeId from, const Schema& flat,
                               const std::string& pointer, const std::set<std::string>& others);

  SchemaContext context_;
  SchemaCompiler& compiler_;
  std::optional<RuleId> any_text_;  // with what ends it
  size_t kinds_ = 0;                // schemas that were looked at for kinds
};

}  // namespace flashmoe::grammar
