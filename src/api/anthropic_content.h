// The messages of POST /v1/messages: blocks of text, thinking, calls and their results.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/status.h"
#include "chat/chat_request.h"

namespace flashmoe {

// The text of a system prompt or of a tool's result: a string, or blocks of text.
Result<std::string> ReadAnthropicText(const nlohmann::ordered_json& content,
                                      const std::string& path);

// Appends a message. Results of tools, which Anthropic puts into the user's turn, become messages
// of their own.
Status ReadAnthropicMessage(const nlohmann::ordered_json& message, const std::string& path,
                            std::vector<ChatMessage>& messages);

}  // namespace flashmoe
