// POST /v1/responses: the answer.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>

#include "api/answer_writer.h"

namespace flashmoe {

struct OpenAiResponseWriterOptions {
  bool logprobs = false;
  // Members of the request that the response repeats: instructions, tools, temperature...
  nlohmann::ordered_json echo;
};

std::unique_ptr<AnswerWriter> MakeOpenAiResponseWriter(AnswerHead head,
                                                       OpenAiResponseWriterOptions options);

}  // namespace flashmoe
