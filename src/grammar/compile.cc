#include <fmt/format.h>

#include "grammar/compiled_grammar.h"
#include "grammar/preamble.h"
#include "grammar/regex.h"
#include "grammar/schema_compiler.h"
#include "grammar/schema_guard.h"

namespace flashmoe {

using namespace grammar;  // NOLINT: the parts that this file puts together

Result<std::shared_ptr<const Grammar>> CompileJsonSchema(const nlohmann::ordered_json& schema,
                                                         const GrammarOptions& options) {
  FM_RETURN_IF_ERROR(CheckSize(schema, options.limits, ""));
  GrammarBuilder builder(options.limits);
  JsonText text(builder, options.space);
  std::vector<std::string> dropped;
  SchemaCompiler compiler({builder, text, options.lenient, dropped}, schema);
  const RuleId root = builder.Reserve();
  Nfa nfa = builder.NewNfa();
  const NodeId begin = AppendPreamble(builder, nfa, 0, options.thinking);
  FM_ASSIGN_OR_RETURN(const NodeId end, compiler.Append(nfa, begin, schema, ""));
  FM_RETURN_IF_ERROR(compiler.DefineReferences());
  builder.Define(root, nfa, end);
  return builder.Finish(root, std::move(dropped));
}

Result<std::shared_ptr<const Grammar>> CompileRegex(std::string_view pattern,
                                                    const GrammarOptions& options) {
  GrammarBuilder builder(options.limits);
  FM_ASSIGN_OR_RETURN(Machine machine, CompileRegexMachine(pattern, RegexMatch::kWhole,
                                                           TextEncoding::kUtf8, options.limits));
  const RuleId root = builder.Reserve();
  if (options.thinking == ThinkingBlock::kNone) {
    builder.Define(root, std::move(machine));
  } else {
    Nfa nfa = builder.NewNfa();
    const NodeId begin = AppendPreamble(builder, nfa, 0, options.thinking);
    builder.Define(root, nfa, nfa.Insert(begin, machine));
  }
  return builder.Finish(root, {});
}

}  // namespace flashmoe
