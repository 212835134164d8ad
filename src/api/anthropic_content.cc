#include "api/anthropic_content.h"

#include <fmt/format.h>

#include <utility>

#include "api/common_fields.h"
#include "api/fields.h"
#include "text/ordered_json.h"
#include "text/utf8.h"

namespace flashmoe {
namespace {

using Json = nlohmann::ordered_json;

Status Unsupported(std::string_view type, const std::string& path) {
  return Fail(ErrorCode::kUnsupported, fmt::format("content of type {}", QuoteText(type)), path,
              "this model reads text only");
}

// A document that is given as text.
Status ReadDocument(Fields& block, std::string& text) {
  block.Require("source");
  FM_RETURN_IF_ERROR(block.status());
  Fields source(*block.Find("source"), block.Path("source"));
  std::string type, title, data;
  source.Read("type", type);
  source.Read("data", data);
  block.Read("title", title);
  FM_RETURN_IF_ERROR(source.status());
  FM_RETURN_IF_ERROR(block.status());
  if (type != "text") return Unsupported("document", source.Path("type"));
  AppendText(text, title);
  AppendText(text, data);
  return {};
}

// A block of text; sets `other` to the type of what is none.
Status ReadTextBlock(Fields& block, std::string& text, std::string& other) {
  std::string type, more;
  block.Require("type");
  block.Read("type", type);
  FM_RETURN_IF_ERROR(block.status());
  if (type == "document") return ReadDocument(block, text);
  if (type != "text") {
    other = std::move(type);
    return {};
  }
  block.Require("text");
  block.Read("text", more);
  AppendText(text, more);
  return block.status();
}

Status ReadToolUse(Fields& block, ChatMessage& message) {
  ToolCall call;
  block.Require("name");
  block.Require("input");
  block.Read("id", call.id);
  block.Read("name", call.name);
  FM_RETURN_IF_ERROR(block.status());
  const Json& input = *block.Find("input");
  if (!input.is_object()) return InvalidInput("input is not an object", block.Path("input"));
  call.arguments = DumpJson(input);
  message.calls.push_back(std::move(call));
  return {};
}

Status ReadAssistant(const Json& content, const std::string& path,
                     std::vector<ChatMessage>& messages) {
  ChatMessage message{.role = Role::kAssistant};
  for (size_t i = 0; i < content.size(); ++i) {
    Fields block(content[i], fmt::format("{}[{}]", path, i));
    std::string other;
    FM_RETURN_IF_ERROR(ReadTextBlock(block, message.text, other));
    if (other == "tool_use") {
      FM_RETURN_IF_ERROR(ReadToolUse(block, message));
    } else if (other == "thinking") {
      std::string thought;
      block.Read("thinking", thought);
      FM_RETURN_IF_ERROR(block.status());
      AppendText(message.reasoning, thought);
    } else if (!other.empty() && other != "redacted_thinking") {
      return Unsupported(other, block.Path("type"));
    }
  }
  messages.push_back(std::move(message));
  return {};
}

Status ReadToolResult(Fields& block, std::vector<ChatMessage>& messages) {
  ChatMessage message{.role = Role::kTool};
  bool is_error = false;
  block.Require("tool_use_id");
  block.Read("tool_use_id", message.tool_call_id);
  block.Read("is_error", is_error);
  FM_RETURN_IF_ERROR(block.status());
  if (const Json* content = block.Find("content")) {
    FM_ASSIGN_OR_RETURN(message.text, ReadAnthropicText(*content, block.Path("content")));
  }
  if (is_error && !message.text.starts_with("Error")) message.text.insert(0, "Error: ");
  messages.push_back(std::move(message));
  return {};
}

Status ReadUser(const Json& content, const std::string& path, std::vector<ChatMessage>& messages) {
  std::string text;
  const auto say = [&] {
    if (!text.empty()) messages.push_back({.role = Role::kUser, .text = std::exchange(text, {})});
  };
  const size_t before = messages.size();
  for (size_t i = 0; i < content.size(); ++i) {
    Fields block(content[i], fmt::format("{}[{}]", path, i));
    std::string other;
    FM_RETURN_IF_ERROR(ReadTextBlock(block, text, other));
    if (other == "tool_result") {
      say();
      FM_RETURN_IF_ERROR(ReadToolResult(block, messages));
    } else if (!other.empty()) {
      return Unsupported(other, block.Path("type"));
    }
  }
  say();
  if (messages.size() == before) messages.push_back({.role = Role::kUser});
  return {};
}

}  // namespace

Result<std::string> ReadAnthropicText(const Json& content, const std::string& path) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) return InvalidInput("this is neither a string nor blocks", path);
  std::string text;
  for (size_t i = 0; i < content.size(); ++i) {
    Fields block(content[i], fmt::format("{}[{}]", path, i));
    std::string other;
    FM_RETURN_IF_ERROR(ReadTextBlock(block, text, other));
    if (!other.empty()) {
      FM_RETURN_IF_ERROR(Unsupported(other, block.Path("type")));
    }
  }
  return text;
}

Status ReadAnthropicMessage(const Json& message, const std::string& path,
                            std::vector<ChatMessage>& messages) {
  Fields fields(message, path);
  fields.Require("role");
  const auto role = fields.ReadWord("role", {"system", "user", "assistant"});
  fields.Require("content");
  FM_RETURN_IF_ERROR(fields.status());
  constexpr Role kRoles[] = {Role::kSystem, Role::kUser, Role::kAssistant};
  const Json& content = *fields.Find("content");
  const std::string where = fields.Path("content");
  if (content.is_array() && kRoles[*role] == Role::kUser) return ReadUser(content, where, messages);
  if (content.is_array() && kRoles[*role] == Role::kAssistant) {
    return ReadAssistant(content, where, messages);
  }
  FM_ASSIGN_OR_RETURN(std::string text, ReadAnthropicText(content, where));
  messages.push_back({.role = kRoles[*role], .text = std::move(text)});
  return {};
}

}  // namespace flashmoe
