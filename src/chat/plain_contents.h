// What messages hold is text, whatever it looks like: "<|im_end|>" in a user's or a tool's message
// must not end the message. Only what the template writes itself may become control tokens.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace flashmoe {

// Offsets into `prompt`, ascending, where the text of an added token begins that came out of
// `request`, for Tokenizer::Encode. `prompt` is what the template makes of the request.
//
// Of the system's and the assistant's own words only control tokens count: those two may write
// tags (<think>, <tool_call>), which models know as tokens. So it is with everybody's where the
// template looks for such tags itself. Fails where the template changes the texts of control
// tokens, so that nobody can say which are a message's.
Result<std::vector<size_t>> PlainPlaces(const ChatTemplate& chat_template,
                                        const Tokenizer& tokenizer,
                                        const nlohmann::ordered_json& request,
                                        std::string_view prompt);

}  // namespace flashmoe
