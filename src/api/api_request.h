// Requests of the public APIs, read from the JSON of their bodies. What is not supported is refused
// if the answer would be another one without it, and ignored otherwise: docs/server.md has the
// table of all fields.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "api/answer_writer.h"
#include "base/status.h"
#include "chat/chat_request.h"

namespace flashmoe {

struct ApiRequest {
  std::string model;  // as the client named it; may be empty
  bool stream = false;
  std::variant<ChatRequest, CompletionRequest> input;
  std::function<std::unique_ptr<AnswerWriter>(AnswerHead)> make_writer;
};

// Errors have the field in Error::where ("messages[0].content") and are kInvalidInput or
// kUnsupported.
Result<ApiRequest> ParseOpenAiChat(std::string_view body);        // POST /v1/chat/completions
Result<ApiRequest> ParseOpenAiCompletion(std::string_view body);  // POST /v1/completions
Result<ApiRequest> ParseOpenAiResponse(std::string_view body);    // POST /v1/responses
Result<ApiRequest> ParseAnthropicMessage(std::string_view body);  // POST /v1/messages

// POST /v1/messages/count_tokens: what is to be rendered and counted, and the body that says so.
Result<ChatRequest> ParseAnthropicTokenCount(std::string_view body);
std::string AnthropicTokenCount(int64_t input_tokens);

}  // namespace flashmoe
