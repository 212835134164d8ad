// POST /v1/chat/completions: the request.
#include <fmt/format.h>

#include <limits>
#include <utility>

#include "api/api_request.h"
#include "api/common_fields.h"
#include "api/openai_chat_writer.h"
#include "api/openai_fields.h"
#include "text/ordered_json.h"
#include "text/utf8.h"

namespace flashmoe {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kStopsMax = 16;
constexpr int64_t kAnyNumber = std::numeric_limits<int64_t>::max();

Status ReadCall(const Json& json, const std::string& path, std::vector<ToolCall>& calls) {
  ToolCall call;
  Fields fields(json, path);
  fields.Read("id", call.id);
  fields.ReadWord("type", {"function"});
  fields.Require("function");
  FM_RETURN_IF_ERROR(fields.status());
  Fields function(*fields.Find("function"), fields.Path("function"));
  function.Require("name");
  function.Read("name", call.name);
  // Some clients send the object itself.
  const Json* arguments = function.Find("arguments");
  if (arguments != nullptr && arguments->is_object()) {
    call.arguments = DumpJson(*arguments);
  } else {
    function.Read("arguments", call.arguments);
  }
  FM_RETURN_IF_ERROR(function.status());
  calls.push_back(std::move(call));
  return {};
}

Status ReadMessage(const Json& json, const std::string& path, std::vector<ChatMessage>& messages) {
  ChatMessage message;
  Fields fields(json, path);
  fields.Require("role");
  const auto role = fields.ReadWord("role", {"system", "developer", "user", "assistant", "tool"});
  FM_RETURN_IF_ERROR(fields.status());
  constexpr Role kRoles[] = {Role::kSystem, Role::kSystem, Role::kUser, Role::kAssistant,
                             Role::kTool};
  message.role = kRoles[*role];
  if (message.role != Role::kAssistant) fields.Require("content");
  FM_RETURN_IF_ERROR(fields.status());
  if (const Json* content = fields.Find("content")) {
    FM_ASSIGN_OR_RETURN(message.text, ReadContent(*content, fields.Path("content")));
  }
  if (message.role == Role::kTool) fields.Read("tool_call_id", message.tool_call_id);
  if (message.role == Role::kAssistant) {
    fields.Read("reasoning", message.reasoning);
    fields.Read("reasoning_content", message.reasoning);
    fields.Refuse("audio");
    fields.Refuse("function_call", "use tool_calls");
    if (message.text.empty()) fields.Read("refusal", message.text);
    ForEach(fields, "tool_calls", [&](const Json& call, const std::string& where) {
      return ReadCall(call, where, message.calls);
    });
  }
  FM_RETURN_IF_ERROR(fields.status());
  messages.push_back(std::move(message));
  return {};
}

Status ReadChatTool(const Json& json, const std::string& path, std::vector<ChatTool>& tools) {
  Fields fields(json, path);
  fields.ReadWord("type", {"function"});
  fields.Require("function");
  FM_RETURN_IF_ERROR(fields.status());
  Fields function(*fields.Find("function"), fields.Path("function"));
  ReadTool(function, "parameters", tools);
  return function.status();
}

void ReadLogprobs(Fields& fields, AnswerOptions& options) {
  fields.Read("logprobs", options.logprobs);
  std::optional<int64_t> top;
  fields.Read("top_logprobs", top, 0, 20);
  if (top.value_or(0) > 0 && !options.logprobs) {
    fields.Fail(ErrorCode::kInvalidInput, "top_logprobs needs logprobs", "top_logprobs",
                "set logprobs to true");
  }
  options.top_logprobs = static_cast<int>(top.value_or(0));
}

// One answer, of text alone.
void RefuseOtherAnswers(Fields& fields) {
  std::optional<int64_t> n;
  fields.Read("n", n, 1, kAnyNumber);
  if (n.value_or(1) > 1) {
    fields.Fail(ErrorCode::kUnsupported, fmt::format("n is {}", *n), "n",
                "ask once for each answer");
  }
  ForEach(fields, "modalities", [](const Json& item, const std::string& path) -> Status {
    if (item == "text") return {};
    return Fail(ErrorCode::kUnsupported, "an answer that is not text", path);
  });
  fields.Refuse("audio");
  fields.Refuse("functions", "use tools");
  fields.Refuse("function_call", "use tool_choice");
  fields.Refuse("web_search_options");
}

void ReadOptions(Fields& fields, AnswerOptions& options) {
  ReadSampling(fields, options.sampling);
  fields.Read("max_tokens", options.max_tokens, 1, kAnyNumber);
  fields.Read("max_completion_tokens", options.max_tokens, 1, kAnyNumber);
  fields.Read("stop", options.stop, kStopsMax);
  ReadLogprobs(fields, options);
  if (const Json* format = fields.Find("response_format")) {
    fields.Fail(ReadFormat(*format, fields.Path("response_format"), "json_schema", options.format));
  }
}

}  // namespace

Result<ApiRequest> ParseOpenAiChat(std::string_view body) {
  FM_ASSIGN_OR_RETURN(const Json json, ParseOrderedJson(body));
  Fields fields(json, "");
  ApiRequest request;
  ChatRequest chat;
  fields.Read("model", request.model);
  RefuseOtherAnswers(fields);
  fields.Require("messages");
  ForEach(fields, "messages", [&](const Json& item, const std::string& path) {
    return ReadMessage(item, path, chat.messages);
  });
  if (fields.ok() && chat.messages.empty()) {
    fields.Fail(ErrorCode::kInvalidInput, "there are no messages", "messages");
  }
  MergeSystemMessages(chat.messages);
  ForEach(fields, "tools", [&](const Json& item, const std::string& path) {
    return ReadChatTool(item, path, chat.tools);
  });
  ReadToolChoice(fields, true, chat);
  ReadOptions(fields, chat.options);
  ReadEffort(fields, "reasoning_effort", chat);
  ReadTemplateKwargs(fields, chat);
  const StreamOptions stream = ReadStreamOptions(fields);
  FM_RETURN_IF_ERROR(fields.status());
  request.stream = stream.stream;
  request.make_writer = [logprobs = chat.options.logprobs,
                         usage = stream.include_usage](AnswerHead head) {
    return MakeOpenAiChatWriter(std::move(head), {.logprobs = logprobs, .stream_usage = usage});
  };
  request.input = std::move(chat);
  return request;
}

}  // namespace flashmoe
