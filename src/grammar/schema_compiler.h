// One JSON Schema to rules.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "grammar/grammar_builder.h"
#include "grammar/json_text.h"
#include "grammar/number_text.h"
#include "grammar/schema_merge.h"
#include "grammar/string_text.h"

namespace flashmoe::grammar {

// What the schemas of one grammar share.
struct SchemaContext {
  GrammarBuilder& builder;
  JsonText& text;
  bool lenient = false;
  std::vector<std::string>& dropped;  // constraints, by pointer
};

class SchemaCompiler {
 public:
  // `root` must outlive the compiler. `pointer_prefix` stands before the pointers of errors.
  SchemaCompiler(SchemaContext context, const Schema& root, std::string pointer_prefix = "");

  // Appends a value of `schema`, which lies at `pointer` of the root.
  Result<NodeId> Append(Nfa& nfa, NodeId from, const Schema& schema, const std::string& pointer,
                        int depth = 0);
  // References were left as calls: defines what they call. To be called last.
  Status DefineReferences();

  // The schema with its references and allOf looked up and merged; anyOf and oneOf stay.
  Result<Schema> Flatten(const Schema& schema, const std::string& pointer, int depth = 0);
  // The members that a flat object schema declares or requires.
  struct Parameter {
    std::string name;
    Schema schema;
    std::string pointer;
    bool required = false;
  };
  Result<std::vector<Parameter>> ParametersOf(const Schema& flat);
  // For errors: the pointer with the prefix.
  std::string Where(const std::string& pointer) const { return prefix_ + pointer; }
  // What the schema says of strings.
  Result<StringLimits> StringLimitsOf(const Schema& schema, const std::string& pointer);
  // StringMachine, with the pointer in its errors.
  Result<Machine> StringMachineOf(StringLimits limits, TextEncoding encoding,
                                  const std::string& pointer);
  // What stands in the list `keyword` of a flat schema, anyOf or oneOf, merged with what stands
  // beside the list.
  Result<std::vector<Schema>> Alternatives(const Schema& schema, const char* keyword,
                                           const std::string& pointer);
  // `enum` and `const` as a list, without what contradicts the other keywords; null: neither.
  Result<Schema> ValuesOf(const Schema& schema, const std::string& pointer);
  // Records that a lenient grammar drops a constraint; an error otherwise.
  Status Unsupported(const std::string& pointer, std::string_view what);
  // Fails if keywords are unknown or not supported.
  Status CheckKeywords(const Schema& schema, const std::string& pointer);

 private:
  struct Item {  // a schema of a list
    const Schema* schema;
    std::string pointer;
  };
  Status CheckBudget(const Nfa& nfa, const std::string& pointer, int depth);
  Result<const Schema*> Resolve(const Schema& reference, const std::string& pointer) const;
  Result<RuleId> RuleOf(const Schema& reference, const std::string& pointer);
  // MergeSchemas; lenient grammars drop the keyword of `b` that cannot be merged.
  Result<Schema> Merge(const Schema& a, const Schema& b, const std::string& pointer);
  // A rule of its own for a value, to be called several times.
  Result<RuleId> NewRule(const Schema& schema, const std::string& pointer, int depth);

  Result<NodeId> AppendChoices(Nfa& nfa, NodeId from, const Schema& schema, const char* keyword,
                               const std::string& pointer, int depth);
  Status CheckExclusive(const std::vector<Schema>& branches, const std::string& pointer);
  Result<NodeId> AppendValues(Nfa& nfa, NodeId from, const Schema& values);
  Result<NodeId> AppendTypes(Nfa& nfa, NodeId from, const Schema& schema,
                             const std::string& pointer, int depth);
  Result<NodeId> AppendType(Nfa& nfa, NodeId from, const std::string& type, const Schema& schema,
                            const std::string& pointer, int depth);
  Result<bool> Satisfies(const Schema& value, const Schema& schema, const std::string& pointer);

  Result<NodeId> AppendString(Nfa& nfa, NodeId from, const Schema& schema,
                              const std::string& pointer);
  Result<NodeId> AppendNumber(Nfa& nfa, NodeId from, bool integer, const Schema& schema,
                              const std::string& pointer);
  Result<NumberRange> NumberRangeOf(bool integer, const Schema& schema, const std::string& pointer);
  Result<NodeId> AppendArray(Nfa& nfa, NodeId from, const Schema& schema,
                             const std::string& pointer, int depth);

  struct Members;
  Result<Members> MembersOf(const Schema& schema, const std::string& pointer);
  Status AddPatterns(Members& members, const Schema& schema, const std::string& pointer);
  Result<NodeId> AppendObject(Nfa& nfa, NodeId from, const Schema& schema,
                              const std::string& pointer, int depth);
  // A member whose key is none of the declared ones.
  Result<NodeId> AppendOthers(Nfa& nfa, NodeId from, const Members& members, int depth);
  Result<NodeId> AppendCounted(Nfa& nfa, NodeId open, const Members& members,
                               const std::string& pointer, int depth);
  // A count of at least 0 under `keyword`.
  Result<std::optional<uint64_t>> Count(const Schema& schema, const char* keyword,
                                        const std::string& pointer);

  SchemaContext context_;
  const Schema& root_;
  std::string prefix_;
  size_t schemas_ = 0, merged_bytes_ = 0;
  std::map<std::string, RuleId> references_;  // by the text of $ref
  std::deque<std::pair<RuleId, Item>> undefined_;
  std::map<std::string, RuleId> strings_;  // constrained ones with the quote at their end
};

}  // namespace flashmoe::grammar
