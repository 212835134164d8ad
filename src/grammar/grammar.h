// What an answer may look like, byte by byte: a JSON Schema, a regular expression or a model
// family's tool calls, compiled to a pushdown automaton. token_masks.h makes token masks of it.
//
// All of this works on untrusted input: whatever is malformed, unsupported or too large is an error
// that says where. A compiled grammar can always be completed: no prefix it allows is a dead end.
#pragma once

#include <cstddef>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace flashmoe {

class Grammar;  // immutable; may be shared by threads and sequences (automaton.h)

// What the model thinks comes before the answer proper and is free text.
enum class ThinkingBlock {
  kNone,
  kOpen,      // the prompt ended with "<think>": the output starts inside the block
  kOptional,  // the model may open one itself
};

// By how a prompt ends: with an open block or not; a model that `thinks` may open one itself.
ThinkingBlock ThinkingAfter(std::string_view prompt, bool thinks);

struct GrammarLimits {
  size_t schema_bytes = 1 << 20;    // of all texts and nodes of a schema
  int schema_depth = 64;            // nested schemas, or groups of a regular expression
  size_t states = 1 << 18;          // of the automaton
  size_t pattern_states = 1 << 15;  // of one regular expression, as a deterministic automaton
  int stack_depth = 200;            // nested rules (arrays, objects, references) of an answer
};

// Spaces between the parts of a JSON text.
enum class JsonSpace {
  kCompact,  // none
  kBounded,  // at most one space, or one line break and an indentation of at most 32
};

struct GrammarOptions {
  ThinkingBlock thinking = ThinkingBlock::kNone;
  JsonSpace space = JsonSpace::kBounded;
  // Constraints that cannot be kept are dropped (see dropped_constraints) instead of refused; what
  // is malformed is an error still.
  bool lenient = false;
  GrammarLimits limits = {};
};

// JSON texts that validate against the schema (draft 2020-12 and OpenAI's strict subset). Members
// come in the order of `properties`; optional ones may be left out. An object with `properties`
// but without `additionalProperties` has no others. What is not supported is kUnsupported, with the
// JSON pointer of the keyword in Error::where. docs/decisions/ tells which keywords are.
Result<std::shared_ptr<const Grammar>> CompileJsonSchema(const nlohmann::ordered_json& schema,
                                                         const GrammarOptions& options = {});

// The texts that the expression matches as a whole: ECMAScript's syntax without look-around and
// back references. An error has the position in Error::where.
Result<std::shared_ptr<const Grammar>> CompileRegex(std::string_view pattern,
                                                    const GrammarOptions& options = {});

enum class ToolCallForm {
  kQwen35Xml,  // <tool_call>\n<function=NAME>\n<parameter=KEY>\nVALUE\n</parameter>\n...
  kQwen3Json,  // <tool_call>\n{"name": NAME, "arguments": {...}}\n</tool_call>
};

struct ToolSpec {
  std::string name;
  nlohmann::ordered_json parameters = nullptr;  // a schema of type object; null: no parameters
};

struct ToolCallOptions {
  ToolCallForm form = ToolCallForm::kQwen35Xml;
  // False (tool_choice auto): free text, calls, or text and then calls. True (required; for a named
  // function give that tool alone): at least one call and no text but the thinking.
  bool required = false;
  bool parallel = true;  // more than one call
  // response_format beside tools: what is not a call is JSON of this schema, not free text.
  std::optional<nlohmann::ordered_json> answer_schema = {};
  GrammarOptions grammar = {};
};

// REQUIRES nothing: no tools, doubled or empty names are errors. An error in a tool's schema has
// the tool's name and the JSON pointer in Error::where.
Result<std::shared_ptr<const Grammar>> CompileToolCalls(const std::vector<ToolSpec>& tools,
                                                        const ToolCallOptions& options = {});

// JSON pointers of the constraints that GrammarOptions::lenient dropped.
const std::vector<std::string>& DroppedConstraints(const Grammar& grammar);

}  // namespace flashmoe
