// /tokenize and /detokenize.
#pragma once

#include "engine/text_model.h"
#include "http/server.h"

namespace flashmoe {

// {"content": "text", "add_special": false} -> {"tokens": [1, 2, 3]}
void Tokenize(const TextModel& text, http::Exchange& exchange);
// {"tokens": [1, 2, 3]} -> {"content": "text"}
void Detokenize(const TextModel& text, http::Exchange& exchange);

}  // namespace flashmoe
