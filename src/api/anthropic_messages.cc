// POST /v1/messages and /v1/messages/count_tokens: the requests.
#include <fmt/format.h>

#include <limits>
#include <utility>

#include "api/anthropic_content.h"
#include "api/anthropic_writer.h"
#include "api/api_request.h"
#include "api/common_fields.h"
#include "api/fields.h"
#include "text/ordered_json.h"
#include "text/utf8.h"

namespace flashmoe {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kStopsMax = 16;
constexpr int64_t kAnyNumber = std::numeric_limits<int64_t>::max();

void ReadMessages(Fields& fields, std::vector<ChatMessage>& messages) {
  if (const Json* system = fields.Find("system")) {
    auto text = ReadAnthropicText(*system, fields.Path("system"));
    if (!text.has_value()) return fields.Fail(std::unexpected(text.error()));
    if (!text->empty()) messages.push_back({.role = Role::kSystem, .text = std::move(*text)});
  }
  fields.Require("messages");
  const size_t before = messages.size();
  ForEach(fields, "messages", [&](const Json& item, const std::string& path) {
    return ReadAnthropicMessage(item, path, messages);
  });
  if (!fields.ok()) return;
  if (messages.size() == before) {
    return fields.Fail(ErrorCode::kInvalidInput, "there are no messages", "messages");
  }
  if (messages.back().role == Role::kAssistant) {
    return fields.Fail(ErrorCode::kUnsupported, "the last message is the assistant's", "messages",
                       "the beginning of an answer cannot be given; end with a user's message");
  }
  MergeSystemMessages(messages);
}

Status ReadAnthropicTool(const Json& json, const std::string& path, std::vector<ChatTool>& tools) {
  Fields fields(json, path);
  std::string type = "custom";
  fields.Read("type", type);
  FM_RETURN_IF_ERROR(fields.status());
  if (type != "custom") {
    return Fail(ErrorCode::kUnsupported, fmt::format("a tool of type {}", QuoteText(type)), path,
                "give tools with a name and an input_schema; this server runs none itself");
  }
  fields.Require("input_schema");
  ReadTool(fields, "input_schema", tools);
  return fields.status();
}

Status ReadChoice(const Json& json, const std::string& path, ChatRequest& request) {
  using Kind = ToolChoice::Kind;
  Fields fields(json, path);
  fields.Require("type");
  const auto type = fields.ReadWord("type", {"auto", "any", "tool", "none"});
  FM_RETURN_IF_ERROR(fields.status());
  constexpr Kind kKinds[] = {Kind::kAuto, Kind::kRequired, Kind::kNamed, Kind::kNone};
  request.tool_choice.kind = kKinds[*type];
  if (request.tool_choice.kind == Kind::kNamed) fields.Require("name");
  fields.Read("name", request.tool_choice.name);
  bool one_call = false;
  fields.Read("disable_parallel_tool_use", one_call);
  request.parallel_tool_calls = !one_call;
  FM_RETURN_IF_ERROR(fields.status());
  return CheckToolChoice(request, path);
}

// A model thinks here only if it is asked to.
void ReadThinking(Fields& fields, ChatRequest& request) {
  request.thinking = false;
  const Json* json = fields.Find("thinking");
  if (json == nullptr) return;
  Fields thinking(*json, fields.Path("thinking"));
  thinking.Require("type");
  const auto type = thinking.ReadWord("type", {"disabled", "enabled", "adaptive"});
  if (type.has_value()) request.thinking = *type > 0;
  std::optional<int64_t> budget;
  thinking.Read("budget_tokens", budget, 1, kAnyNumber);
  fields.Fail(thinking.status());
}

// output_config: {"effort": ..., "format": {"type": "json_schema", "schema": ...}}
void ReadOutputConfig(Fields& fields, ChatRequest& request) {
  const Json* format = fields.Find("output_format");
  std::string path = fields.Path("output_format");
  if (const Json* json = fields.Find("output_config")) {
    Fields config(*json, fields.Path("output_config"));
    const std::optional<bool> thinking = request.thinking;
    ReadEffort(config, "effort", request);
    request.thinking = thinking;  // which has a field of its own
    fields.Fail(config.status());
    if (const Json* inner = config.Find("format")) {
      format = inner;
      path = config.Path("format");
    }
  }
  if (format != nullptr && fields.ok()) {
    fields.Fail(ReadFormat(*format, path, "", request.options.format));
    request.options.format.strict = true;
  }
}

ChatRequest ReadChat(Fields& fields) {
  ChatRequest chat;
  fields.Refuse("container");
  fields.Refuse("mcp_servers");
  ReadMessages(fields, chat.messages);
  ForEach(fields, "tools", [&](const Json& item, const std::string& path) {
    return ReadAnthropicTool(item, path, chat.tools);
  });
  if (const Json* choice = fields.Find("tool_choice"); choice != nullptr && fields.ok()) {
    fields.Fail(ReadChoice(*choice, fields.Path("tool_choice"), chat));
  }
  ReadThinking(fields, chat);
  ReadOutputConfig(fields, chat);
  ReadTemplateKwargs(fields, chat);
  return chat;
}

}  // namespace

Result<ApiRequest> ParseAnthropicMessage(std::string_view body) {
  FM_ASSIGN_OR_RETURN(const Json json, ParseOrderedJson(body));
  Fields fields(json, "");
  ApiRequest request;
  ChatRequest chat = ReadChat(fields);
  fields.Read("model", request.model);
  fields.Read("stream", request.stream);
  ReadSampling(fields, chat.options.sampling);
  fields.Require("max_tokens");
  fields.Read("max_tokens", chat.options.max_tokens, 1, kAnyNumber);
  fields.Read("stop_sequences", chat.options.stop, kStopsMax);
  FM_RETURN_IF_ERROR(fields.status());
  request.make_writer = [](AnswerHead head) { return MakeAnthropicWriter(std::move(head)); };
  request.input = std::move(chat);
  return request;
}

Result<ChatRequest> ParseAnthropicTokenCount(std::string_view body) {
  FM_ASSIGN_OR_RETURN(const Json json, ParseOrderedJson(body));
  Fields fields(json, "");
  ChatRequest chat = ReadChat(fields);
  FM_RETURN_IF_ERROR(fields.status());
  return chat;
}

std::string AnthropicTokenCount(int64_t input_tokens) {
  return DumpJson({{"input_tokens", input_tokens}});
}

}  // namespace flashmoe
