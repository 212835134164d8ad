// A chat request as the text that the model continues.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/status.h"
#include "chat/chat_request.h"
#include "chat/output_parser.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace flashmoe {

struct RenderedChat {
  std::string prompt = {};
  // Offsets into the prompt, ascending, where what looks like a control token is a message's own
  // text: for Tokenizer::Encode.
  std::vector<size_t> plain = {};
  bool starts_in_thinking = false;  // the prompt ends within "<think>"
  // Offsets into the prompt, ascending, where later requests are likely to part from this one: the
  // end of the system prompt and tools, the beginning of the last user's turn.
  std::vector<size_t> reuse_points = {};
};

// The request as ChatTemplate::Render takes it.
nlohmann::ordered_json TemplateRequest(const ChatRequest& request);

// An error is the template's: a message out of place, arguments that are no JSON object; or that it
// cannot be told from its words what is a message's (plain_contents.h).
Result<RenderedChat> RenderChat(const ChatTemplate& chat_template, const Tokenizer& tokenizer,
                                const ChatRequest& request);

// For reading the answer to `request`.
OutputParserOptions ParserFor(const ChatRequest& request, const RenderedChat& rendered);

}  // namespace flashmoe
