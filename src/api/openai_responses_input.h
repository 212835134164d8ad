// The `input` of POST /v1/responses: what was said so far, as a list of items.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/status.h"
#include "chat/chat_request.h"

namespace flashmoe {

// Appends what the item says. An assistant's thinking, text and calls come as items of their own
// and become one message.
Status ReadResponseItem(const nlohmann::ordered_json& item, const std::string& path,
                        std::vector<ChatMessage>& messages);

}  // namespace flashmoe
