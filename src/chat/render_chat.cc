#include "chat/render_chat.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "chat/plain_contents.h"

namespace flashmoe {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kUserTurn = "<|im_start|>user\n";
constexpr std::string_view kToolTurn = "<|im_start|>user\n<tool_response>";

std::string_view Name(Role role) {
  switch (role) {
    case Role::kSystem:
      return "system";
    case Role::kUser:
      return "user";
    case Role::kAssistant:
      return "assistant";
    case Role::kTool:
      return "tool";
  }
  return "user";
}

Json ToJson(const ToolCall& call) {
  Json json{{"type", "function"},
            {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
  if (!call.id.empty()) json["id"] = call.id;
  return json;
}

Json ToJson(const ChatMessage& message) {
  Json json{{"role", Name(message.role)}, {"content", message.text}};
  if (!message.reasoning.empty()) json["reasoning_content"] = message.reasoning;
  for (const ToolCall& call : message.calls) json["tool_calls"].push_back(ToJson(call));
  if (!message.tool_call_id.empty()) json["tool_call_id"] = message.tool_call_id;
  return json;
}

// The whole tool as OpenAI writes it: that is what models were trained on.
Json ToJson(const ChatTool& tool) {
  Json function{{"name", tool.name}};
  if (!tool.description.empty()) function["description"] = tool.description;
  if (!tool.parameters.is_null()) function["parameters"] = tool.parameters;
  return {{"type", "function"}, {"function", std::move(function)}};
}

bool EndsInThinking(std::string_view prompt) {
  const size_t end = prompt.find_last_not_of(" \t\r\n");
  return end != std::string_view::npos && prompt.substr(0, end + 1).ends_with("<think>");
}

// Places are found by the marks that begin turns, where they are the template's.
std::vector<size_t> ReusePoints(const RenderedChat& rendered) {
  const std::string_view prompt = rendered.prompt;
  std::vector<size_t> turns;
  for (size_t at = 0; (at = prompt.find(kUserTurn, at)) != prompt.npos; at += kUserTurn.size()) {
    if (!std::ranges::binary_search(rendered.plain, at)) turns.push_back(at);
  }
  if (turns.empty()) return {};
  const size_t first = turns.front();
  while (turns.size() > 1 && prompt.substr(turns.back()).starts_with(kToolTurn)) turns.pop_back();
  std::vector<size_t> points;
  if (first > 0) points.push_back(first);
  if (turns.back() > first) points.push_back(turns.back());
  return points;
}

}  // namespace

Json TemplateRequest(const ChatRequest& request) {
  Json json{{"messages", Json::array()}, {"add_generation_prompt", true}};
  for (const ChatMessage& message : request.messages) json["messages"].push_back(ToJson(message));
  for (const ChatTool& tool : request.tools) json["tools"].push_back(ToJson(tool));
  if (request.thinking.has_value()) json["enable_thinking"] = *request.thinking;
  if (!request.template_kwargs.is_null()) json["chat_template_kwargs"] = request.template_kwargs;
  return json;
}

Result<RenderedChat> RenderChat(const ChatTemplate& chat_template, const Tokenizer& tokenizer,
                                const ChatRequest& request) {
  const Json json = TemplateRequest(request);
  RenderedChat rendered;
  FM_ASSIGN_OR_RETURN(rendered.prompt, chat_template.Render(json));
  FM_ASSIGN_OR_RETURN(rendered.plain, PlainPlaces(chat_template, tokenizer, json, rendered.prompt));
  rendered.starts_in_thinking = EndsInThinking(rendered.prompt);
  rendered.reuse_points = ReusePoints(rendered);
  return rendered;
}

OutputParserOptions ParserFor(const ChatRequest& request, const RenderedChat& rendered) {
  OutputParserOptions options;
  options.starts_in_thinking = rendered.starts_in_thinking;
  options.tool_calls = request.MayCallTools();
  if (options.tool_calls) options.tools = request.tools;
  return options;
}

}  // namespace flashmoe
