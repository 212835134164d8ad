// Fields that OpenAI's APIs have in common.
#pragma once

#include <string>

#include "api/fields.h"
#include "chat/chat_request.h"

namespace flashmoe {

struct StreamOptions {
  bool stream = false;
  bool include_usage = false;
};

// stream, stream_options
StreamOptions ReadStreamOptions(Fields& fields);

// The text of a message: a string, or an array of parts of text. Pictures and the like are refused.
Result<std::string> ReadContent(const nlohmann::ordered_json& content, const std::string& path);

// tool_choice, parallel_tool_calls. With `nested`, names stand in a member of their own as in the
// chat API: {"type": "function", "function": {"name": ...}}. Tools must have been read.
void ReadToolChoice(Fields& fields, bool nested, ChatRequest& request);

}  // namespace flashmoe
