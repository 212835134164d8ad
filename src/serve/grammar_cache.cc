#include "serve/grammar_cache.h"

#include <algorithm>

#include "text/ordered_json.h"

namespace flashmoe {
namespace {

using Json = nlohmann::ordered_json;

// The schema of the answer proper; null: free text.
Json SchemaOf(const ResponseFormat& format) {
  switch (format.kind) {
    case ResponseFormat::Kind::kText:
      return nullptr;
    case ResponseFormat::Kind::kJsonObject:
      return {{"type", "object"}};
    case ResponseFormat::Kind::kJsonSchema:
      return format.schema;
  }
  return nullptr;
}

std::vector<ToolSpec> SpecsOf(const ChatRequest& request) {
  std::vector<ToolSpec> specs;
  for (const ChatTool& tool : request.tools) {
    const bool wanted = request.tool_choice.kind != ToolChoice::Kind::kNamed ||
                        tool.name == request.tool_choice.name;
    if (wanted) specs.push_back({tool.name, tool.parameters});
  }
  return specs;
}

bool IsStrict(const ChatRequest& request) {
  return std::any_of(request.tools.begin(), request.tools.end(),
                     [](const ChatTool& tool) { return tool.strict; });
}

ThinkingBlock ThinkingOf(const ChatRequest& request, bool starts_in_thinking) {
  if (starts_in_thinking) return ThinkingBlock::kOpen;
  return request.thinking == false ? ThinkingBlock::kNone : ThinkingBlock::kOptional;
}

}  // namespace

Result<GrammarPtr> GrammarCache::Find(const std::string& key,
                                      const std::function<Result<GrammarPtr>()>& compile) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const auto& entry) { return entry.first == key; });
    if (found != entries_.end()) {
      entries_.splice(entries_.begin(), entries_, found);
      return found->second;
    }
  }
  FM_ASSIGN_OR_RETURN(GrammarPtr grammar, compile());
  const std::lock_guard lock(mutex_);
  entries_.emplace_front(key, grammar);
  if (entries_.size() > entries_max_) entries_.pop_back();
  return grammar;
}

Result<GrammarPtr> GrammarCache::ForChat(const ChatRequest& request, ToolCallForm form,
                                         bool starts_in_thinking) {
  const Json schema = SchemaOf(request.options.format);
  GrammarOptions options;
  options.thinking = ThinkingOf(request, starts_in_thinking);
  if (!request.MayCallTools()) {
    if (schema.is_null()) return GrammarPtr();
    options.lenient = !request.options.format.strict;
    const Json key = {schema, int(options.thinking), options.lenient};
    return Find(DumpJson(key), [&] { return CompileJsonSchema(schema, options); });
  }
  ToolCallOptions calls;
  calls.form = form;
  calls.required = request.tool_choice.kind == ToolChoice::Kind::kRequired ||
                   request.tool_choice.kind == ToolChoice::Kind::kNamed;
  calls.parallel = request.parallel_tool_calls;
  if (!schema.is_null()) calls.answer_schema = schema;
  options.lenient = !IsStrict(request) && !request.options.format.strict;
  calls.grammar = options;
  const std::vector<ToolSpec> specs = SpecsOf(request);
  Json key = {schema,    int(options.thinking), options.lenient,
              int(form), calls.required,        calls.parallel};
  for (const ToolSpec& spec : specs) key.push_back({spec.name, spec.parameters});
  return Find(DumpJson(key), [&] { return CompileToolCalls(specs, calls); });
}

Result<GrammarPtr> GrammarCache::ForFormat(const ResponseFormat& format) {
  const Json schema = SchemaOf(format);
  if (schema.is_null()) return GrammarPtr();
  GrammarOptions options;
  options.lenient = !format.strict;
  const Json key = {"text", schema, options.lenient};
  return Find(DumpJson(key), [&] { return CompileJsonSchema(schema, options); });
}

size_t GrammarCache::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace flashmoe
