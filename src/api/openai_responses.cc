// POST /v1/responses: the request.
#include <fmt/format.h>

#include <limits>
#include <utility>

#include "api/api_request.h"
#include "api/common_fields.h"
#include "api/openai_fields.h"
#include "api/openai_responses_input.h"
#include "api/openai_responses_writer.h"
#include "text/ordered_json.h"
#include "text/utf8.h"

namespace flashmoe {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kAnyNumber = std::numeric_limits<int64_t>::max();

Status ReadResponseTool(const Json& json, const std::string& path, std::vector<ChatTool>& tools) {
  Fields fields(json, path);
  std::string type;
  fields.Require("type");
  fields.Read("type", type);
  FM_RETURN_IF_ERROR(fields.status());
  if (type != "function") {
    return Fail(ErrorCode::kUnsupported, fmt::format("a tool of type {}", QuoteText(type)), path,
                "give tools of type function; this server runs none itself");
  }
  ReadTool(fields, "parameters", tools);
  return fields.status();
}

void ReadInput(Fields& fields, std::vector<ChatMessage>& messages) {
  std::string instructions;
  fields.Read("instructions", instructions);
  if (!instructions.empty()) {
    messages.push_back({.role = Role::kSystem, .text = std::move(instructions)});
  }
  fields.Require("input");
  const Json* input = fields.Find("input");
  if (input == nullptr) return;
  if (input->is_string()) {
    messages.push_back({.role = Role::kUser, .text = input->get<std::string>()});
    return;
  }
  ForEach(fields, "input", [&](const Json& item, const std::string& path) {
    return ReadResponseItem(item, path, messages);
  });
  if (input->empty()) fields.Fail(ErrorCode::kInvalidInput, "the input is empty", "input");
  MergeSystemMessages(messages);
}

void ReadText(Fields& fields, AnswerOptions& options) {
  const Json* json = fields.Find("text");
  if (json == nullptr) return;
  Fields text(*json, fields.Path("text"));
  if (const Json* format = text.Find("format")) {
    text.Fail(ReadFormat(*format, text.Path("format"), "", options.format));
  }
  fields.Fail(text.status());
}

void ReadReasoning(Fields& fields, ChatRequest& chat) {
  const Json* json = fields.Find("reasoning");
  if (json == nullptr) return;
  Fields reasoning(*json, fields.Path("reasoning"));
  ReadEffort(reasoning, "effort", chat);
  fields.Fail(reasoning.status());
}

void ReadLogprobs(Fields& fields, AnswerOptions& options) {
  std::optional<int64_t> top;
  fields.Read("top_logprobs", top, 0, 20);
  options.top_logprobs = static_cast<int>(top.value_or(0));
  options.logprobs = options.top_logprobs > 0;
  ForEach(fields, "include", [&](const Json& item, const std::string&) -> Status {
    if (item == "message.output_text.logprobs") options.logprobs = true;
    return {};
  });
}

// What the response says of the request.
Json Echo(const Json& request, const ChatRequest& chat) {
  Json echo{{"background", false},
            {"instructions", nullptr},
            {"max_output_tokens", nullptr},
            {"metadata", Json::object()},
            {"parallel_tool_calls", chat.parallel_tool_calls},
            {"previous_response_id", nullptr},
            {"reasoning", {{"effort", nullptr}, {"summary", nullptr}}},
            {"store", false},
            {"temperature", nullptr},
            {"text", {{"format", {{"type", "text"}}}}},
            {"tool_choice", "auto"},
            {"tools", Json::array()},
            {"top_p", nullptr},
            {"truncation", "disabled"}};
  for (const char* key : {"instructions", "max_output_tokens", "metadata", "reasoning",
                          "temperature", "text", "tool_choice", "tools", "top_p"}) {
    const auto found = request.find(key);
    if (found != request.end() && !found->is_null()) echo[key] = *found;
  }
  return echo;
}

}  // namespace

Result<ApiRequest> ParseOpenAiResponse(std::string_view body) {
  FM_ASSIGN_OR_RETURN(const Json json, ParseOrderedJson(body));
  Fields fields(json, "");
  ApiRequest request;
  ChatRequest chat;
  fields.Read("model", request.model);
  const std::string stateless = "nothing is stored here: send the whole conversation as input";
  fields.Refuse("previous_response_id", stateless);
  fields.Refuse("conversation", stateless);
  fields.Refuse("prompt", "send instructions and input");
  fields.Refuse("background");
  ReadInput(fields, chat.messages);
  ForEach(fields, "tools", [&](const Json& item, const std::string& path) {
    return ReadResponseTool(item, path, chat.tools);
  });
  ReadToolChoice(fields, false, chat);
  ReadSampling(fields, chat.options.sampling);
  fields.Read("max_output_tokens", chat.options.max_tokens, 1, kAnyNumber);
  ReadText(fields, chat.options);
  ReadReasoning(fields, chat);
  ReadLogprobs(fields, chat.options);
  ReadTemplateKwargs(fields, chat);
  request.stream = ReadStreamOptions(fields).stream;
  FM_RETURN_IF_ERROR(fields.status());
  OpenAiResponseWriterOptions writer{.logprobs = chat.options.logprobs, .echo = Echo(json, chat)};
  request.make_writer = [writer = std::move(writer)](AnswerHead head) {
    return MakeOpenAiResponseWriter(std::move(head), writer);
  };
  request.input = std::move(chat);
  return request;
}

}  // namespace flashmoe
