#include "api/openai_responses_input.h"

#include <fmt/format.h>

#include <utility>

#include "api/common_fields.h"
#include "api/fields.h"
#include "api/openai_fields.h"
#include "text/utf8.h"

namespace flashmoe {
namespace {

using Json = nlohmann::ordered_json;

// The assistant's message that goes on, or a new one.
ChatMessage& Assistant(std::vector<ChatMessage>& messages) {
  if (messages.empty() || messages.back().role != Role::kAssistant) {
    messages.push_back({.role = Role::kAssistant});
  }
  return messages.back();
}

Status ReadMessage(Fields& fields, std::vector<ChatMessage>& messages) {
  fields.Require("role");
  const auto role = fields.ReadWord("role", {"system", "developer", "user", "assistant"});
  fields.Require("content");
  FM_RETURN_IF_ERROR(fields.status());
  FM_ASSIGN_OR_RETURN(std::string text,
                      ReadContent(*fields.Find("content"), fields.Path("content")));
  if (*role < 3) {
    constexpr Role kRoles[] = {Role::kSystem, Role::kSystem, Role::kUser};
    messages.push_back({.role = kRoles[*role], .text = std::move(text)});
    return {};
  }
  // Text after calls is a message of its own.
  ChatMessage& open = Assistant(messages);
  if (open.text.empty() && open.calls.empty()) {
    open.text = std::move(text);
  } else {
    messages.push_back({.role = Role::kAssistant, .text = std::move(text)});
  }
  return {};
}

Status ReadCall(Fields& fields, std::vector<ChatMessage>& messages) {
  ToolCall call;
  fields.Require("call_id");
  fields.Require("name");
  fields.Read("call_id", call.id);
  fields.Read("name", call.name);
  fields.Read("arguments", call.arguments);
  FM_RETURN_IF_ERROR(fields.status());
  Assistant(messages).calls.push_back(std::move(call));
  return {};
}

Status ReadCallOutput(Fields& fields, std::vector<ChatMessage>& messages) {
  ChatMessage message{.role = Role::kTool};
  fields.Require("call_id");
  fields.Require("output");
  fields.Read("call_id", message.tool_call_id);
  FM_RETURN_IF_ERROR(fields.status());
  FM_ASSIGN_OR_RETURN(message.text, ReadContent(*fields.Find("output"), fields.Path("output")));
  messages.push_back(std::move(message));
  return {};
}

// Thinking that came from here. What another server encrypted cannot be read and is left out.
Status ReadReasoning(Fields& fields, std::vector<ChatMessage>& messages) {
  std::string text;
  for (const char* key : {"content", "summary"}) {
    ForEach(fields, key, [&](const Json& json, const std::string& path) -> Status {
      Fields part(json, path);
      std::string more;
      part.Read("text", more);
      AppendText(text, more);
      return part.status();
    });
    if (!text.empty()) break;
  }
  FM_RETURN_IF_ERROR(fields.status());
  if (text.empty()) return {};
  ChatMessage* open = &Assistant(messages);
  if (!open->text.empty() || !open->calls.empty()) {
    open = &messages.emplace_back(ChatMessage{.role = Role::kAssistant});
  }
  AppendText(open->reasoning, text);
  return {};
}

}  // namespace

Status ReadResponseItem(const Json& item, const std::string& path,
                        std::vector<ChatMessage>& messages) {
  Fields fields(item, path);
  std::string type = "message";
  fields.Read("type", type);
  FM_RETURN_IF_ERROR(fields.status());
  if (type == "message") return ReadMessage(fields, messages);
  if (type == "function_call") return ReadCall(fields, messages);
  if (type == "function_call_output") return ReadCallOutput(fields, messages);
  if (type == "reasoning") return ReadReasoning(fields, messages);
  return Fail(ErrorCode::kUnsupported, fmt::format("an item of type {}", QuoteText(type)), path,
              "messages, function calls, their outputs and reasoning are read; nothing is stored, "
              "so items have to be sent whole");
}

}  // namespace flashmoe
