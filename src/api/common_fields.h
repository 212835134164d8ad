// Fields that several APIs have in common.
#pragma once

#include <string>
#include <string_view>

#include "api/fields.h"
#include "chat/chat_request.h"

namespace flashmoe {

// temperature, top_p, top_k, min_p, the penalties, seed, logit_bias.
void ReadSampling(Fields& fields, SamplingChoices& sampling);

// A tool's own name, description and schema (the member `schema_key`), checked and appended.
void ReadTool(Fields& function, std::string_view schema_key, std::vector<ChatTool>& tools);

// A tool choice that names a tool there is not, or asks for a call where there are no tools, is an
// error; `path` is the choice's.
Status CheckToolChoice(const ChatRequest& request, const std::string& path);

// {"type": "json_schema", "schema": ..., "name": ..., "strict": ...} and its simpler kinds.
// OpenAI's chat API keeps the schema one level deeper, in the member `nest`; else that is empty.
Status ReadFormat(const nlohmann::ordered_json& json, const std::string& path,
                  std::string_view nest, ResponseFormat& format);

// How hard to think: none turns thinking off; the rest is for templates that know reasoning_effort.
void ReadEffort(Fields& fields, std::string_view key, ChatRequest& request);

// chat_template_kwargs; its enable_thinking becomes `thinking`.
void ReadTemplateKwargs(Fields& fields, ChatRequest& request);

// Puts consecutive system messages at the beginning together: templates take one.
void MergeSystemMessages(std::vector<ChatMessage>& messages);

// Appends `more` on a line of its own.
void AppendText(std::string& text, std::string_view more);

}  // namespace flashmoe
