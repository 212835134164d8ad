#include "serve/served_model.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>

namespace flashmoe {
namespace {

uint64_t FreshSeed() {
  uint64_t seed = 0;
  while (getrandom(&seed, sizeof seed, 0) != sizeof seed) {
  }
  return seed;
}

}  // namespace

ToolCallForm FindToolCallForm(const ChatTemplate& chat_template) {
  ChatRequest request;
  ChatMessage asks, calls;
  asks.text = "x";
  calls.role = Role::kAssistant;
  calls.calls = {{"", "probe", "{}"}};
  request.messages = {asks, calls, asks};
  request.tools = {{"probe", "x", {{"type", "object"}}, false}};
  const Result<std::string> prompt = chat_template.Render(TemplateRequest(request));
  const bool xml = prompt.has_value() && prompt->find("<function=") != std::string::npos;
  return xml ? ToolCallForm::kQwen35Xml : ToolCallForm::kQwen3Json;
}

std::vector<int32_t> EncodeWithPoints(const TextModel& text, const RenderedChat& rendered,
                                      std::vector<int64_t>& positions) {
  // A mark like <|im_start|> is cut out of the text before anything else: the parts have the same
  // tokens as the whole.
  std::vector<int32_t> tokens;
  const auto add = [&](size_t begin, size_t end) {
    std::vector<size_t> plain;
    auto place = std::ranges::lower_bound(rendered.plain, begin);
    for (; place != rendered.plain.end() && *place < end; ++place) plain.push_back(*place - begin);
    const std::string_view part = std::string_view(rendered.prompt).substr(begin, end - begin);
    const std::vector<int32_t> more =
        begin == 0 ? text.Encode(part, plain) : text.tokenizer.Encode(part, plain);
    tokens.insert(tokens.end(), more.begin(), more.end());
  };
  size_t begin = 0;
  for (const size_t point : rendered.reuse_points) {
    add(begin, point);
    positions.push_back(static_cast<int64_t>(tokens.size()));
    begin = point;
  }
  add(begin, rendered.prompt.size());
  return tokens;
}

ServedModel::ServedModel(const TextModel& text, ModelCard card, int64_t answer_tokens_max)
    : text_(text),
      card_(std::move(card)),
      answer_tokens_max_(answer_tokens_max),
      tool_form_(text.chat_template ? FindToolCallForm(*text.chat_template)
                                    : ToolCallForm::kQwen3Json) {}

Result<RenderedChat> ServedModel::Render(const ChatRequest& request) const {
  if (!text_.chat_template) {
    return Fail(ErrorCode::kUnsupported, "the model has no chat template", {},
                "use /v1/completions");
  }
  // Tools that must not be called are not shown: a model that sees them calls them.
  if (request.tools.empty() || request.MayCallTools()) {
    return RenderChat(*text_.chat_template, text_.tokenizer, request);
  }
  ChatRequest without = request;
  without.tools.clear();
  return RenderChat(*text_.chat_template, text_.tokenizer, without);
}

void ServedModel::Apply(const AnswerOptions& options, GenerateRequest& generate) const {
  generate.sampling = options.sampling.Over(text_.sampling);
  if (!options.sampling.seed) generate.sampling.seed = FreshSeed();
  generate.max_tokens = options.max_tokens.value_or(-1);
  if (answer_tokens_max_ >= 0 &&
      (generate.max_tokens < 0 || generate.max_tokens > answer_tokens_max_)) {
    generate.max_tokens = answer_tokens_max_;
  }
  generate.stop = options.stop;
  generate.top_logprobs = options.logprobs ? options.top_logprobs : -1;
}

Result<PreparedRequest> ServedModel::Prepare(const ChatRequest& request) const {
  FM_ASSIGN_OR_RETURN(const RenderedChat rendered, Render(request));
  PreparedRequest prepared;
  prepared.generate.prompt = EncodeWithPoints(text_, rendered, prepared.generate.checkpoints);
  Apply(request.options, prepared.generate);
  prepared.logprobs = request.options.logprobs;
  prepared.parser = ParserFor(request, rendered);
  prepared.parallel_calls = request.parallel_tool_calls;
  FM_ASSIGN_OR_RETURN(prepared.generate.grammar,
                      grammars_.ForChat(request, tool_form_, rendered.starts_in_thinking));
  return prepared;
}

Result<PreparedRequest> ServedModel::Prepare(const CompletionRequest& request) const {
  PreparedRequest prepared;
  prepared.is_chat = false;
  if (const auto* tokens = std::get_if<std::vector<int32_t>>(&request.prompt)) {
    prepared.generate.prompt = *tokens;
    if (request.echo) prepared.echo = text_.tokenizer.Decode(*tokens);
  } else {
    const std::string& prompt = std::get<std::string>(request.prompt);
    prepared.generate.prompt = text_.Encode(prompt);
    if (request.echo) prepared.echo = prompt;
  }
  Apply(request.options, prepared.generate);
  prepared.logprobs = request.options.logprobs;
  FM_ASSIGN_OR_RETURN(prepared.generate.grammar, grammars_.ForFormat(request.options.format));
  return prepared;
}

Result<PreparedRequest> ServedModel::Prepare(const ApiRequest& request) const {
  return std::visit([&](const auto& input) { return Prepare(input); }, request.input);
}

Result<int64_t> ServedModel::CountTokens(const ChatRequest& request) const {
  FM_ASSIGN_OR_RETURN(const RenderedChat rendered, Render(request));
  return static_cast<int64_t>(text_.Encode(rendered.prompt, rendered.plain).size());
}

}  // namespace flashmoe
