// The forms in which the model families call tools.
#include <fmt/format.h>

#include <memory>
#include <set>

#include "grammar/compiled_grammar.h"
#include "grammar/preamble.h"
#include "grammar/schema_compiler.h"
#include "grammar/schema_guard.h"
#include "grammar/tool_parameters.h"
#include "text/utf8.h"

namespace flashmoe {

using namespace grammar;  // NOLINT: the parts that this file puts together

namespace {

constexpr std::string_view kBegin = "<tool_call>";

Status CheckTools(const std::vector<ToolSpec>& tools, const GrammarLimits& limits) {
  if (tools.empty()) return InvalidInput("there are no tools to call");
  std::set<std::string_view> names;
  for (const ToolSpec& tool : tools) {
    // A name that ends its own tag could not be read back.
    const bool readable = !tool.name.empty() && IsValidUtf8(tool.name) &&
                          tool.name.find_first_of("<>\n\r") == std::string::npos;
    if (!readable) {
      return InvalidInput(fmt::format("{} is no name of a tool", QuoteText(tool.name)), {},
                          "use letters, digits, '_', '-' and '.'");
    }
    if (!names.insert(tool.name).second) {
      return InvalidInput(fmt::format("two tools are called {}", QuoteText(tool.name)));
    }
    FM_RETURN_IF_ERROR(CheckSize(tool.parameters, limits, tool.name));
  }
  return {};
}

// Arguments are an object, whether the schema says so or not.
Schema ObjectSchema(const Schema& parameters) {
  Schema schema = parameters;
  if (parameters.is_null()) schema = {{"properties", Schema::object()}};
  if (parameters == true) schema = Schema::object();
  if (schema.is_object() && !schema.contains("type")) schema["type"] = "object";
  return schema;
}

class ToolCallCompiler {
 public:
  ToolCallCompiler(const std::vector<ToolSpec>& tools, const ToolCallOptions& options)
      : options_(options),
        builder_(options.grammar.limits),
        text_(builder_, options.grammar.space) {
    for (const ToolSpec& tool : tools) {
      parameters_.push_back(ObjectSchema(tool.parameters));
      names_.push_back(tool.name);
    }
  }

  Result<std::shared_ptr<const Grammar>> Compile() {
    Nfa nfa = builder_.NewNfa();
    const RuleId root = builder_.Reserve();
    FM_ASSIGN_OR_RETURN(const RuleId call, CallRule());
    FM_ASSIGN_OR_RETURN(const NodeId end,
                        options_.required ? Required(nfa, call) : Optional(nfa, call));
    for (const auto& compiler : compilers_) FM_RETURN_IF_ERROR(compiler->DefineReferences());
    builder_.Define(root, nfa, end);
    return builder_.Finish(root, std::move(dropped_));
  }

 private:
  SchemaContext Context() { return {builder_, text_, options_.grammar.lenient, dropped_}; }

  // What stands behind kBegin, for any of the tools.
  Result<RuleId> CallRule() {
    const RuleId rule = builder_.Reserve();
    Nfa nfa = builder_.NewNfa();
    const NodeId name = nfa.Literal(
        0, options_.form == ToolCallForm::kQwen35Xml ? "\n<function=" : "\n{\"name\": ");
    const NodeId end = nfa.AddNode();
    for (size_t i = 0; i < names_.size(); ++i) {
      compilers_.push_back(
          std::make_unique<SchemaCompiler>(Context(), parameters_[i], names_[i] + ": "));
      SchemaCompiler& compiler = *compilers_.back();
      NodeId done = 0;
      if (options_.form == ToolCallForm::kQwen35Xml) {
        ToolParameters parameters(Context(), compiler);
        const NodeId open = nfa.Literal(name, names_[i] + ">\n");
        FM_ASSIGN_OR_RETURN(done, parameters.Append(nfa, open, parameters_[i]));
        done = nfa.Literal(done, "</function>");
      } else {
        const NodeId key = nfa.Literal(text_.String(nfa, name, names_[i]), ", \"arguments\": ");
        FM_ASSIGN_OR_RETURN(done, compiler.Append(nfa, key, parameters_[i], ""));
        done = nfa.Literal(done, "}");
      }
      nfa.AddEmpty(done, end);
    }
    builder_.Define(rule, nfa, nfa.Literal(end, "\n</tool_call>"));
    return rule;
  }

  // The rest of one call, and further ones.
  NodeId Calls(Nfa& nfa, NodeId after_begin, RuleId call) {
    const NodeId end = nfa.Call(after_begin, call);
    if (options_.parallel) {
      nfa.AddEmpty(nfa.Literal(AppendLineBreaks(nfa, end, 2), kBegin), after_begin);
    }
    return end;
  }

  Result<NodeId> Required(Nfa& nfa, RuleId call) {
    const NodeId begin = AppendPreamble(builder_, nfa, 0, options_.grammar.thinking, kBegin);
    const NodeId loop = nfa.AddNode();
    nfa.AddEmpty(nfa.Literal(begin, kBegin), loop);
    return Calls(nfa, loop, call);
  }

  // Free text includes the thinking: whatever comes first, a call begins at the first kBegin.
  Result<NodeId> Optional(Nfa& nfa, RuleId call) {
    const NodeId end = nfa.AddNode(), loop = nfa.AddNode();
    if (!options_.answer_schema) {
      const NodeId text = nfa.Insert(0, WithoutPartMachine(kBegin));
      nfa.AddEmpty(nfa.Literal(text, kBegin), loop);
      nfa.AddEmpty(text, end);
    } else {
      const NodeId begin = AppendPreamble(builder_, nfa, 0, options_.grammar.thinking, kBegin);
      nfa.AddEmpty(nfa.Literal(begin, kBegin), loop);
      FM_RETURN_IF_ERROR(CheckSize(*options_.answer_schema, options_.grammar.limits, ""));
      compilers_.push_back(std::make_unique<SchemaCompiler>(Context(), *options_.answer_schema));
      FM_ASSIGN_OR_RETURN(const NodeId answer,
                          compilers_.back()->Append(nfa, begin, *options_.answer_schema, ""));
      nfa.AddEmpty(answer, end);
    }
    nfa.AddEmpty(Calls(nfa, loop, call), end);
    return end;
  }

  const ToolCallOptions& options_;
  GrammarBuilder builder_;
  JsonText text_;
  std::vector<std::string> names_, dropped_;
  std::vector<Schema> parameters_;
  std::vector<std::unique_ptr<SchemaCompiler>> compilers_;  // one a tool: each has its references
};

}  // namespace

Result<std::shared_ptr<const Grammar>> CompileToolCalls(const std::vector<ToolSpec>& tools,
                                                        const ToolCallOptions& options) {
  FM_RETURN_IF_ERROR(CheckTools(tools, options.grammar.limits));
  return ToolCallCompiler(tools, options).Compile();
}

}  // namespace flashmoe
